"""wyoming's own client: what a server offers, and one utterance a connection."""

from __future__ import annotations

import argparse
import asyncio

from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info

from options import run
from report import tell, tell_error
from speech import read_speech, steps

KINDS = (Info, Transcript, TranscriptStart, TranscriptChunk, TranscriptStop, Error)


async def describe(options: argparse.Namespace) -> None:
    """Asks what the server offers."""
    async with AsyncClient.from_uri(options.url) as client:
        tell("open")
        await client.write_event(Describe().event())
        tell_heard(await client.read_event())


async def live(options: argparse.Namespace) -> None:
    """Sends one utterance as Home Assistant does, and reads until its transcript is there."""
    speech = read_speech(options)
    form = {"rate": speech.rate, "width": 2, "channels": speech.channels}
    try:
        async with AsyncClient.from_uri(options.url) as client:
            tell("open")
            hearing = asyncio.create_task(hear(client))
            wanted = Transcribe(name=options.model, language=options.language)
            await client.write_event(wanted.event())
            await client.write_event(AudioStart(**form, timestamp=0).event())
            async for step in steps(speech, options):
                if step.what == "audio":
                    at = round(1000 * step.second)
                    chunk = AudioChunk(**form, audio=step.data, timestamp=at)
                    await client.write_event(chunk.event())
            await client.write_event(AudioStop(timestamp=round(1000 * speech.seconds)).event())
            await hearing
    except OSError as error:
        tell_error(error)


async def hear(client: AsyncClient) -> None:
    """Tells each event; a streamed transcript is at its end with ``transcript-stop``."""
    streams = False
    while True:
        event = await client.read_event()
        if event is None:
            tell("closed", code=None, reason=None)
            return
        tell_heard(event)
        streams = streams or event.type == "transcript-start"
        if event.type == "transcript-stop" or (event.type == "transcript" and not streams):
            return


def tell_heard(event: Event | None) -> None:
    """Tells an event as the package's own object, and what the package misses in it."""
    if event is None:
        tell("closed", code=None, reason=None)
        return
    kind = next((each for each in KINDS if each.is_type(event.type)), None)
    found: dict[str, list[str]] = {"problems": [], "unknown": []}
    data = event.data
    try:
        if kind is not None:
            data = kind.from_event(event).event().data
            found["unknown"] = sorted(flat(event.data) - flat(data))
    except (KeyError, TypeError, ValueError) as error:
        found["problems"] = [repr(error)]
    tell("message", type=event.type, model=kind and kind.__name__, data=data, **found)
    if event.type == "transcript":
        tell("final", text=event.data["text"])
    elif event.type == "transcript-chunk":
        tell("interim", text=event.data["text"])
    elif event.type == "error":
        tell("error", kind="error", text=event.data.get("text"), code=event.data.get("code"))


def flat(data: object, path: str = "") -> set[str]:
    """Returns the paths of all keys."""
    if isinstance(data, dict):
        return {f"{path}{key}" for key in data}.union(
            *(flat(value, f"{path}{key}.") for key, value in data.items())
        )
    if isinstance(data, list):
        return set().union(*(flat(each, path) for each in data))
    return set()


run({"live": live, "describe": describe})
