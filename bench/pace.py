"""Word errors by how audio comes: lengths of messages, containers, stalls of the network.

The same recordings are streamed as fast as they were spoken: in messages of 0.1 to 5 s, raw, in
WebM and in fragmented MP4, without a stall and with one in the middle. Behind the stall comes in a
burst what was held up. Printed are the word errors, how many points they are above those of
messages of 0.1 s of the same form without a stall, and in brackets how many segments ended for the
reason ``idle``. Each recording is said several times, each time with other silence before it, and
with the stall at another place.

Run with ``make bench-pace``; ``ARGS="--recordings 12 --offsets 3"`` for more. It uses the
recordings of ``bench-accuracy`` where they are, else those that come with the model.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import sys
import wave
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soxr
import websockets

from recorded import CLEAN, DEFAULT_FOLDER, read_manifest
from recorders import Form, Message, recorded, stalled
from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE
from scripta_local.stack import Stack
from wer import Score, score

SIZES: Final = (0.1, 0.5, 1.1, 2.0, 5.0)
STALLS: Final = (0.0, 1.3, 3.0)
_OFFSET_SECONDS: Final = 0.37
_PATIENCE_SECONDS: Final = 120.0
_SECOND: Final = BYTES_PER_SAMPLE * SAMPLE_RATE

_SHIPPED: Final = {
    "beckett.wav": "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better.",
    "two_cities.wav": (
        "It was the best of times, it was the worst of times, it was the age of wisdom, it was "
        "the age of foolishness, it was the epoch of belief, it was the epoch of incredulity, it "
        "was the season of light, it was the season of darkness, it was the spring of hope, it "
        "was the winter of despair, we had everything before us, we had nothing before us, we "
        "were all going direct to heaven, we were all going direct the other way. In short, the "
        "period was so far like the present period, that some of its noisiest authorities "
        "insisted on its being received, for good or for evil, in the superlative degree of "
        "comparison only."
    ),
}


@dataclass(frozen=True, slots=True)
class Speech:
    """Something to be said, and its right words."""

    pcm: bytes
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """How it comes."""

    form: Form
    stall: float
    size: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one stream."""

    text: str
    idle: int


def main() -> int:
    """Runs the benchmark; 1 if a margin was given and a way is worse by more points."""
    arguments = _arguments()
    speeches = list(_said(arguments.recordings, arguments.least, arguments.offsets))
    ways = [
        Way(form, stall, size)
        for form in arguments.forms
        for stall in arguments.stalls
        for size in arguments.sizes
    ]
    seconds = sum(len(speech.pcm) for speech in speeches) / _SECOND
    print(f"{len(speeches)} streams of {seconds:.0f} s together, for each of {len(ways)} ways")
    scores, idle = asyncio.run(_hear(arguments, speeches, ways))
    print(_table(arguments, scores, idle))
    if arguments.margin is None:
        return 0
    worst = max(_points(scores, way) for way in ways)
    return worst > arguments.margin


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Word errors by how audio comes.")
    parser.add_argument("--recordings", type=int, default=8)
    parser.add_argument("--least", type=float, default=7.0, help="seconds of a recording")
    parser.add_argument("--offsets", type=int, default=2, help="times that each is said")
    parser.add_argument("--streams", type=int, default=24, help="at the same time")
    parser.add_argument("--forms", type=_listed(Form), default=tuple(Form))
    parser.add_argument("--sizes", type=_listed(float), default=SIZES)
    parser.add_argument("--stalls", type=_listed(float), default=STALLS)
    parser.add_argument(
        "--early", action="store_true", help="send first and wait then, as simple programs do"
    )
    parser.add_argument("--url", help="a running gateway's /ws (default: a system is started)")
    parser.add_argument("--margin", type=float, help="fail above so many points")
    arguments = parser.parse_args()
    if SIZES[0] not in arguments.sizes or 0.0 not in arguments.stalls:
        parser.error(f"messages of {SIZES[0]} s without a stall are what the others are held to")
    return arguments


def _listed(kind: type[float | Form]) -> Callable[[str], tuple[float | Form, ...]]:
    return lambda text: tuple(kind(part) for part in text.split(","))


def _said(count: int, least: float, offsets: int) -> Iterator[Speech]:
    for pcm, references in _sources(count, least):
        for place in range(offsets):
            yield Speech(bytes(int(place * _OFFSET_SECONDS * SAMPLE_RATE) * 2) + pcm, references)


def _sources(count: int, least: float) -> Iterator[tuple[bytes, tuple[str, ...]]]:
    if (DEFAULT_FOLDER / "manifest.jsonl").is_file():
        able = [
            recording
            for recording in read_manifest(DEFAULT_FOLDER)
            if CLEAN in recording.groups() and least <= recording.seconds < 40
        ]
        for recording in able[:: max(1, len(able) // count)][:count]:
            yield recording.pcm(), recording.references
        return
    spec = importlib.util.find_spec("moonshine_voice")
    if spec is None or spec.origin is None:
        raise SystemExit("There are no recordings: install moonshine-voice.")
    for name, text in _SHIPPED.items():
        with wave.open(str(Path(spec.origin).parent / "assets" / name)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
            resampled = soxr.resample(samples, file.getframerate(), SAMPLE_RATE)
            yield np.asarray(resampled, dtype="<i2").tobytes(), (text,)


async def _hear(
    arguments: argparse.Namespace, speeches: Sequence[Speech], ways: Sequence[Way]
) -> tuple[dict[Way, Score], Counter[Way]]:
    scores = dict.fromkeys(ways, Score())
    idle = Counter[Way]()
    room = asyncio.Semaphore(arguments.streams)

    async def one(url: str, place: int, speech: Speech, way: Way) -> None:
        async with room:
            messages = await asyncio.to_thread(_messages, place, speech, way, arguments.early)
            heard = await _transcribe(url, messages)
            scores[way] += score(speech.references, heard.text, "en")
            idle[way] += heard.idle

    async def everything(url: str) -> None:
        async with asyncio.TaskGroup() as group:
            for place, speech in enumerate(speeches):
                for way in ways:
                    group.create_task(one(url, place, speech, way))

    if arguments.url:
        await everything(arguments.url)
    else:
        env = {"SLOTS": str(2 * arguments.streams), "LIVE_WAIT_SECONDS": "60"}
        async with Stack(restart=False, env=env) as stack:
            await everything(stack.ws_url)
    return scores, idle


def _messages(place: int, speech: Speech, way: Way, early: bool) -> list[Message]:
    messages = recorded(speech.pcm, way.form, way.size)
    if early:
        first = messages[0].at
        messages = [Message(message.at - first, message.data) for message in messages]
    if not way.stall:
        return messages
    seconds = len(speech.pcm) / _SECOND
    # Between 35 and 65 % of the recording, at another place in each.
    return stalled(messages, seconds * (0.35 + 0.3 * (place * 0.618 % 1)), way.stall)


async def _transcribe(url: str, messages: Sequence[Message]) -> Heard:
    """Streams messages at their times and joins the finals.

    Raises:
        RuntimeError: The gateway reported an error, or closed before the end.
    """
    clock = asyncio.get_running_loop().time
    finals: list[dict[str, str]] = []
    patience = messages[-1].at + _PATIENCE_SECONDS
    async with asyncio.timeout(patience), websockets.connect(url, max_size=None) as socket:

        async def send() -> None:
            began = clock()
            for message in messages:
                await asyncio.sleep(began + message.at - clock())
                await socket.send(message.data)
            await socket.send('{"type":"end"}')

        async with asyncio.TaskGroup() as group:
            group.create_task(send())
            async for frame in socket:
                event = json.loads(frame)
                if event["status"] == "error":
                    raise RuntimeError(f"the gateway says: {event['error']}")
                if event["status"] == "transcript":
                    finals.append(event)
        if socket.close_code != 1000:
            raise RuntimeError(f"closed with {socket.close_code} {socket.close_reason}")
    idle = sum(final["reason"] == "idle" for final in finals)
    return Heard(" ".join(final["text"] for final in finals), idle)


def _points(scores: dict[Way, Score], way: Way) -> float:
    return 100 * (scores[way].rate - scores[Way(way.form, 0.0, SIZES[0])].rate)


def _table(arguments: argparse.Namespace, scores: dict[Way, Score], idle: Counter[Way]) -> str:
    heads = "".join(f"{f'{size:g} s':^20}" for size in arguments.sizes)
    lines = [f"{'':6}{'stall':>7}{heads}"]
    for form in arguments.forms:
        for stall in arguments.stalls:
            cells = ""
            for size in arguments.sizes:
                way = Way(form, stall, size)
                rate = 100 * scores[way].rate
                cells += f"{rate:8.2f}%{_points(scores, way):+6.2f} {f'({idle[way]})':4}"
            lines.append(f"{form.value:6}{stall:6g}s{cells}")
    words = scores[Way(arguments.forms[0], 0.0, SIZES[0])].words
    lines.append(f"{words} words a cell; points above messages of {SIZES[0]} s (segments by idle)")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
