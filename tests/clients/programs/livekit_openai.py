"""livekit-agents' OpenAI plugin, with realtime transcription and without."""

from __future__ import annotations

import argparse
from functools import partial

from livekit.plugins import openai

from livekit_stream import recognize, settings_of, stream
from options import run

SILENCE = 2.0


def plugin(options: argparse.Namespace, *, realtime: bool) -> openai.STT:
    """Returns the plugin; extra query parameters are its settings."""
    return openai.STT(
        model=options.model or "gpt-4o-transcribe",
        base_url=f"{options.url}/v1",
        api_key=options.key,
        language=options.language,
        use_realtime=realtime,
        **settings_of(options),
    )


async def live(options: argparse.Namespace) -> None:
    """Streams the recording."""
    await stream(partial(plugin, options, realtime=True), options, silence=SILENCE)


async def file(options: argparse.Namespace) -> None:
    """Posts the recording."""
    await recognize(partial(plugin, options, realtime=False), options)


run({"live": live, "file": file})
