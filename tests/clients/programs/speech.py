"""A recording, cut into what a program sends and when."""

from __future__ import annotations

import argparse
import asyncio
import time
import wave
from array import array
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from report import tell

KEEPALIVE_SECONDS = 3.0

What = Literal["audio", "finalize", "commit", "keepalive", "wait"]


@dataclass(frozen=True)
class Speech:
    """Samples as s16le, or a whole file whose header tells its format."""

    data: bytes
    rate: int
    channels: int
    seconds: float


@dataclass(frozen=True)
class Step:
    """One thing to send, and the second of audio at which it is due."""

    second: float
    what: What
    data: bytes = b""
    wait: float = 0.0


def read_speech(
    options: argparse.Namespace, rate: int | None = None, silence: float = 0.0
) -> Speech:
    """Reads the recording, at another sampling rate and with silence behind it if wanted.

    Args:
        options: What the program was asked.
        rate: Samples a second that the client needs; ``None`` takes those of the file.
        silence: Seconds of silence unless the options name some: clients that never end an
            utterance themselves need the pause in which the server does.
    """
    with wave.open(options.wav) as file:
        channels, had = file.getnchannels(), file.getframerate()
        pcm = file.readframes(file.getnframes())
    frame = 2 * channels
    pcm += bytes(round((options.silence or silence) * had) * frame)
    if rate is not None and rate != had:
        pcm, had = _resampled(pcm, channels, had, rate), rate
    seconds = len(pcm) / frame / had
    data = whole_file(options) if options.container else pcm
    return Speech(data, had, channels, seconds)


def whole_file(options: argparse.Namespace) -> bytes:
    """Returns the file as it is."""
    return Path(options.wav).read_bytes()


async def steps(speech: Speech, options: argparse.Namespace) -> AsyncIterator[Step]:
    """Yields what to send when it is due, and tells how far it is after each second."""
    started, waited, told = time.monotonic(), 0.0, 0.0
    for step in _planned(speech, options):
        waited += step.wait
        due = waited + (step.second / options.speed if options.speed else 0.0)
        # Cancelled, the program ends: nothing is kept.
        await asyncio.sleep(max(0.0, started + due - time.monotonic()))
        yield step
        if step.second - told >= 1:
            told = step.second
            tell("sent", seconds=round(step.second, 3))
    tell("spoken", seconds=round(speech.seconds, 3))
    # Whoever reads meanwhile goes on reading.
    await asyncio.sleep(options.hold_open)


def _planned(speech: Speech, options: argparse.Namespace) -> Iterator[Step]:
    """Yields all steps of a recording in their order; audio is due when it has been spoken."""
    finalizes: list[tuple[float, What]] = [(at, "finalize") for at in options.finalize]
    marks = sorted([*finalizes, *((at, "commit") for at in options.commit)])
    pause_at, pause_for = map(float, (options.pause or "inf:0").split(":"))
    second = 0.0
    for chunk in _chunks(speech, options.chunk_ms / 1000):
        if second >= pause_at:
            yield from _pause(second, pause_for, options.keepalive)
            pause_at = float("inf")
        second += len(chunk) / len(speech.data) * speech.seconds
        yield Step(second, "audio", chunk)
        while marks and marks[0][0] <= second:
            yield Step(second, marks.pop(0)[1])


def _pause(second: float, seconds: float, keepalive: bool) -> Iterator[Step]:
    while keepalive and seconds > KEEPALIVE_SECONDS:
        seconds -= KEEPALIVE_SECONDS
        yield Step(second, "keepalive", wait=KEEPALIVE_SECONDS)
    yield Step(second, "wait", wait=seconds)


def _chunks(speech: Speech, seconds: float) -> Iterator[bytes]:
    size = max(2, round(len(speech.data) * seconds / max(speech.seconds, seconds)))
    size = max(2 * speech.channels, size - size % (2 * speech.channels))
    for start in range(0, len(speech.data), size):
        yield speech.data[start : start + size]


def _resampled(pcm: bytes, channels: int, had: int, rate: int) -> bytes:
    """Returns the audio at another rate, by straight lines between samples."""
    samples = array("h", pcm)
    frames = len(samples) // channels
    wanted = frames * rate // had
    made = array("h", bytes(2 * channels * wanted))
    for channel in range(channels):
        one = samples[channel::channels]
        one.append(one[-1] if one else 0)
        made[channel::channels] = array("h", _between(one, wanted, had, rate))
    return made.tobytes()


def _between(samples: array[int], wanted: int, had: int, rate: int) -> Iterator[int]:
    for number in range(wanted):
        whole, part = divmod(number * had, rate)
        left = samples[whole]
        yield left + (samples[whole + 1] - left) * part // rate
