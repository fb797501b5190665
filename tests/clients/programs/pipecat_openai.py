"""pipecat's OpenAI realtime service, which commits where its own voice detection ends a turn."""

from __future__ import annotations

import argparse

from pipecat.services.openai.stt import OpenAIRealtimeSTTService

from options import run, web_socket
from pipecat_pipeline import Ears, stream

TURNS = ("server", "semantic")
"""What else can end turns; the default is the service's own."""


async def live(options: argparse.Namespace) -> None:
    """Streams the recording; ``vad="server"`` leaves the turns to the server."""
    settings = OpenAIRealtimeSTTService.Settings(model=options.model or "gpt-4o-transcribe")
    service = OpenAIRealtimeSTTService(
        api_key=options.key,
        base_url=f"{web_socket(options.url)}/v1/realtime",
        turn_detection={"type": f"{options.vad}_vad"} if options.vad in TURNS else False,
        settings=settings,
    )
    await stream(service, Ears(), options)


run({"live": live})
