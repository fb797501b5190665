"""What sessions cost in which nobody speaks: most of those that are open, most of the time.

Many live sessions send digital silence (a muted microphone), the noise of a room, and what is no
speech either: a hum, and the recordings of music and noises where they are at hand. Printed is
the processor time of each process as a share of one core, from ``/proc``, and the words that came
of it. Fails if silence or noise costs a transcriber more than its share, if anybody is told of a
word, or if the clients can not keep pace. Linux only.

Run with ``make bench-silence``; ``ARGS="--sessions 50 --seconds 30"`` for other numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop

from cost import SETTLE_SECONDS, noise, used
from recorded import DEFAULT_FOLDER, read_manifest
from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE
from scripta_local.stack import Stack
from speakers import connect, speak

LEAST_PACE = 0.98
"""Share of the audio that has to be acknowledged in time; a figure would be too good otherwise."""


@dataclass(frozen=True, slots=True)
class Case:
    """Something without speech that all sessions send.

    Attributes:
        name: What it is.
        pcm: The audio, sent over and over.
        limit: Share of one core that the transcriber may use for a hundred sessions, if it is
            bounded.
    """

    name: str
    pcm: bytes
    limit: float | None = None

    def chunks(self, seconds: float) -> list[bytes]:
        """Returns it in messages."""
        size = round(seconds * SAMPLE_RATE) * BYTES_PER_SAMPLE
        return [self.pcm[at : at + size] for at in range(0, len(self.pcm) - size + 1, size)]


@dataclass(frozen=True, slots=True)
class Cost:
    """What came of it.

    Attributes:
        gateway: Share of one core.
        transcriber: Likewise.
        broker: Likewise.
        pace: Audio acknowledged, of what was due.
        words: Words that anybody was told of.
    """

    gateway: float
    transcriber: float
    broker: float
    pace: float
    words: int


def hum() -> bytes:
    """Returns ten seconds of a mains hum with its overtones."""
    waves = [(50, 3000), (100, 1500), (150, 900), (250, 400)]
    return array(
        "h",
        (
            round(sum(level * math.sin(math.tau * hz * n / SAMPLE_RATE) for hz, level in waves))
            for n in range(10 * SAMPLE_RATE)
        ),
    ).tobytes()


def cases(folder: Path) -> Iterator[Case]:
    """Yields what is sent."""
    yield Case("digital silence", b"".join(noise(0)), 0.1)
    yield Case("room noise", b"".join(noise(60)), 0.4)
    yield Case("hum", hum())
    if (folder / "manifest.jsonl").is_file():
        for recording in read_manifest(folder):
            if recording.language == "none":
                yield Case(recording.name, recording.pcm())
    else:
        print(f"{folder} has no recordings of noises: left out", file=sys.stderr)


async def measure(case: Case, sessions: int, seconds: float, chunk: float) -> Cost:
    """Returns what so many sessions cost that send messages of ``chunk`` seconds."""
    chunks = case.chunks(chunk)
    env = {"SLOTS": str(sessions), "MAX_WAITING": str(sessions)}
    async with Stack(env=env) as stack:
        assert stack.gateway is not None
        assert stack.broker is not None
        (transcriber,) = stack.transcribers
        assert transcriber is not None
        pids = (stack.gateway, transcriber, stack.broker.pid)
        places = [number * len(chunks) // sessions for number in range(sessions)]
        speakers = [await connect(stack.ws_url, chunks, place) for place in places]
        speaking = asyncio.create_task(speak(speakers, chunk), name="speak")
        await asyncio.sleep(SETTLE_SECONDS)
        before = [used(pid) for pid in pids]
        accepted = sum(speaker.accepted for speaker in speakers)
        clock = asyncio.get_running_loop().time
        began = clock()
        await asyncio.sleep(seconds)
        shares = [(used(pid) - start) / seconds for pid, start in zip(pids, before, strict=True)]
        accepted = sum(speaker.accepted for speaker in speakers) - accepted
        due = sessions * (clock() - began) * SAMPLE_RATE * BYTES_PER_SAMPLE
        speaking.cancel()
        for speaker in speakers:
            if speaker.lost:
                raise SystemExit(f"A session was lost: {speaker.lost}")
            speaker.leave()
    return Cost(*shares, accepted / due, sum(speaker.words for speaker in speakers))


def fault(case: Case, cost: Cost, sessions: int) -> str:
    """Returns what is wrong with it; nothing if all is well."""
    if cost.pace < LEAST_PACE:
        return f"only {cost.pace:.0%} of the audio came in time"
    if cost.words:
        return "words where nobody spoke"
    limit = None if case.limit is None else case.limit * sessions / 100
    if limit is not None and cost.transcriber > limit:
        return f"above {limit:.0%}"
    return ""


async def bench(arguments: argparse.Namespace) -> bool:
    """Prints the table; returns whether all was well."""
    sessions, well = arguments.sessions, True
    print(f"{sessions} sessions, {arguments.seconds:g} s each; shares of one core\n")
    print(f"{'':24}{'messages':>10}{'transcriber':>13}{'gateway':>9}{'broker':>8}{'words':>7}")
    for case in cases(arguments.folder):
        for chunk in arguments.chunks if case.limit else arguments.chunks[:1]:
            cost = await measure(case, sessions, arguments.seconds, chunk)
            wrong = fault(case, cost, sessions)
            well = well and not wrong
            print(
                f"{case.name:24}{1000 * chunk:7.0f} ms{cost.transcriber:13.1%}{cost.gateway:9.1%}"
                f"{cost.broker:8.1%}{cost.words:7}  {wrong}",
                flush=True,
            )
    return well


def main() -> int:
    """Parses the arguments and runs the bench; 1 if something was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each row")
    parser.add_argument(
        "--chunks", type=float, nargs="+", default=[0.1, 0.25], help="seconds of a message"
    )
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="of recordings")
    arguments = parser.parse_args()
    if not Path("/proc/self/stat").exists():
        raise SystemExit("This needs /proc: run it on Linux.")
    return 0 if uvloop.run(bench(arguments)) else 1


if __name__ == "__main__":
    sys.exit(main())
