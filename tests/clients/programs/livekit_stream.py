"""Drives a livekit plugin with frames of audio, without a room."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Any

from livekit import rtc
from livekit.agents import stt
from livekit.agents.utils import http_context

from options import query_of
from report import tell, tell_error
from speech import read_speech, steps

Kind = stt.SpeechEventType
TEXTS = {Kind.FINAL_TRANSCRIPT: "final", Kind.INTERIM_TRANSCRIPT: "interim"}


class Utterances:
    """Remembers whether an utterance still lacks its words."""

    def __init__(self) -> None:
        self.open = False
        self.any = False
        self._changed = asyncio.Event()

    def see(self, kind: Kind) -> None:
        """Takes an event's type."""
        if kind in (Kind.START_OF_SPEECH, Kind.INTERIM_TRANSCRIPT):
            self.open = True
        elif kind is Kind.FINAL_TRANSCRIPT:
            self.open, self.any = False, True
        self._changed.set()

    async def settled(self, quiet: float) -> None:
        """Waits until all words are there and nothing more comes for some seconds."""
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(None if self.open else quiet if self.any else 10.0):
                    await self._changed.wait()
            except TimeoutError:
                return


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """Returns extra settings of the plugin: JSON where it is JSON, else text."""
    settings: dict[str, Any] = {}
    for name, value in query_of(options).items():
        try:
            settings[name] = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            settings[name] = value
    return settings


async def stream(
    make: Callable[[], stt.STT], options: argparse.Namespace, silence: float = 0.0
) -> None:
    """Streams the recording through the plugin that ``make`` returns.

    Args:
        make: Makes the plugin; it needs the HTTP session that exists by then.
        options: What the program was asked.
        silence: Seconds after the recording, in which the server ends the last utterance.
    """
    async with http_context.open():
        plugin = make()
        plugin.on("error", tell_plugin_error)
        utterances = Utterances()
        listened = plugin.stream()
        tell("open")
        hearing = asyncio.create_task(hear(listened, utterances))
        try:
            await speak(listened, options, silence)
            settling = asyncio.create_task(utterances.settled(options.settle))
            # The stream ends by itself if the server closes; the other plugin waits for ever.
            await asyncio.wait([hearing, settling], return_when=asyncio.FIRST_COMPLETED)
            settling.cancel()
        finally:
            hearing.cancel()
            await listened.aclose()
            await plugin.aclose()


async def recognize(make: Callable[[], stt.STT], options: argparse.Namespace) -> None:
    """Has the plugin recognize the whole recording, as an agent does without a stream."""
    speech = read_speech(options)
    samples = len(speech.data) // 2 // speech.channels
    frame = rtc.AudioFrame(speech.data, speech.rate, speech.channels, samples)
    async with http_context.open():
        plugin = make()
        try:
            event = await plugin.recognize(frame)
            tell("message", type=event.type.value, data=dumped(event))
            tell("final", text=event.alternatives[0].text)
        except Exception as error:
            tell_error(error)
        finally:
            await plugin.aclose()


async def speak(listened: Any, options: argparse.Namespace, silence: float) -> None:
    """Pushes the recording, and flushes where a finalize is asked for."""
    speech = read_speech(options, silence=silence)
    try:
        async for step in steps(speech, options):
            if step.what == "audio":
                samples = len(step.data) // 2 // speech.channels
                frame = rtc.AudioFrame(step.data, speech.rate, speech.channels, samples)
                listened.push_frame(frame)
            elif step.what == "finalize":
                listened.flush()
        listened.end_input()
    except RuntimeError as error:
        # The stream has given up; why is in its error event.
        tell_error(error)


async def hear(listened: Any, utterances: Utterances) -> None:
    """Tells each event of the stream until it ends."""
    try:
        async for event in listened:
            tell("message", type=event.type.value, data=dumped(event))
            if event.type in TEXTS:
                tell(TEXTS[event.type], text=event.alternatives[0].text)
            utterances.see(event.type)
    except Exception as error:
        tell_error(error)
    tell("closed", code=None, reason=None)


def dumped(event: stt.SpeechEvent) -> dict[str, Any]:
    """Returns an event as a dictionary; a word is text with times as attributes."""
    data = dataclasses.asdict(event)
    for alternative, made in zip(event.alternatives, data["alternatives"], strict=True):
        made["words"] = [
            {"word": str(word), "start": word.start_time, "end": word.end_time}
            for word in alternative.words or ()
        ]
    return data


def tell_plugin_error(error: Any) -> None:
    """Tells an error of the plugin, and whether it goes on to try."""
    status = getattr(error.error, "status_code", None)
    tell_error(error.error, recoverable=error.recoverable, status=status)
