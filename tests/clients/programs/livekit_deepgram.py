"""livekit-agents' Deepgram plugin."""

from __future__ import annotations

import argparse
from functools import partial

from livekit.plugins import deepgram

from livekit_stream import recognize, settings_of, stream
from options import run


def plugin(options: argparse.Namespace) -> deepgram.STT:
    """Returns the plugin; extra query parameters are its settings."""
    return deepgram.STT(
        model=options.model or "nova-3",
        base_url=f"{options.url}/v1/listen",
        api_key=options.key,
        interim_results=options.interim,
        **settings_of(options),
    )


async def live(options: argparse.Namespace) -> None:
    """Streams the recording."""
    await stream(partial(plugin, options), options)


async def file(options: argparse.Namespace) -> None:
    """Posts the recording."""
    await recognize(partial(plugin, options), options)


run({"live": live, "file": file})
