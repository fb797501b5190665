"""livekit-agents' Deepgram plugin."""

from __future__ import annotations

import argparse

from livekit.plugins import deepgram

from livekit_stream import settings_of, stream
from options import run


async def live(options: argparse.Namespace) -> None:
    """Streams the recording; extra query parameters are settings of the plugin."""

    def make() -> deepgram.STT:
        return deepgram.STT(
            model=options.model or "nova-3",
            base_url=f"{options.url}/v1/listen",
            api_key=options.key,
            interim_results=options.interim,
            **settings_of(options),
        )

    await stream(make, options)


run({"live": live})
