"""livekit-agents' OpenAI plugin, with realtime transcription."""

from __future__ import annotations

import argparse

from livekit.plugins import openai

from livekit_stream import settings_of, stream
from options import run

SILENCE = 2.0


async def live(options: argparse.Namespace) -> None:
    """Streams the recording; extra query parameters are settings of the plugin."""

    def make() -> openai.STT:
        return openai.STT(
            model=options.model or "gpt-4o-transcribe",
            base_url=f"{options.url}/v1",
            api_key=options.key,
            language=options.language,
            use_realtime=True,
            **settings_of(options),
        )

    await stream(make, options, silence=SILENCE)


run({"live": live})
