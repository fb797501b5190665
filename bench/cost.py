"""What a second of audio costs in each process, by what is said: the figures that sizing needs.

Of the default engine, or of your own with your model: ``--engine`` and ``--model``.

A few sessions speak at the pace of speech, and the processor time that gateway, transcriber and
broker use meanwhile is read from ``/proc``: it does not depend on what else the machine does, as
waiting would. Continuous read speech is the dearest that people do; in a conversation each side
is silent more than half of the time. Linux only.

Run with ``make bench-cost``; ``ARGS="--sessions 4 --seconds 60"`` for other numbers. The speech is
the sample that comes with the default model: name one like that of your sessions by ``--speech``,
for what a segment costs may hang on its length.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from recorded import Recording
from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE
from scripta_local.stack import Stack
from speakers import CHUNK_SECONDS, connect, sample_chunks, speak

SETTLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Case:
    """Something that sessions send.

    Attributes:
        name: What it is.
        chunks: The audio, in messages.
        interims: Whether they ask for interims.
    """

    name: str
    chunks: Sequence[bytes]
    interims: bool


def recorded_chunks(path: Path) -> list[bytes]:
    """Returns a recording of 16 kHz mono in chunks; raises ``ValueError`` if it is another."""
    pcm = Recording(path, 0.0, "none", (), frozenset()).pcm()
    size = round(CHUNK_SECONDS * SAMPLE_RATE) * BYTES_PER_SAMPLE
    return [pcm[start : start + size] for start in range(0, len(pcm) - size, size)]


def noise(level: int) -> list[bytes]:
    """Returns ten seconds of white noise of an amplitude (0: digital silence), in chunks."""
    generator = random.Random(1)
    size = round(CHUNK_SECONDS * SAMPLE_RATE)
    return [
        array("h", (generator.randint(-level, level) for _ in range(size))).tobytes()
        for _ in range(round(10 / CHUNK_SECONDS))
    ]


def used(pid: int) -> float:
    """Returns the seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(stack: Stack, case: Case, sessions: int, seconds: float) -> list[float]:
    """Returns processor seconds a second of audio in gateway, transcriber and broker."""
    assert stack.gateway is not None
    assert stack.broker is not None
    (transcriber,) = stack.transcribers
    assert transcriber is not None
    pids = (stack.gateway, transcriber, stack.broker.pid)
    places = [number * len(case.chunks) // sessions for number in range(sessions)]
    speakers = [
        await connect(stack.ws_url, case.chunks, place, interims=case.interims) for place in places
    ]
    speaking = asyncio.create_task(speak(speakers), name="speak")
    await asyncio.sleep(SETTLE_SECONDS)
    before = [used(pid) for pid in pids]
    await asyncio.sleep(seconds)
    spent = [used(pid) - start for pid, start in zip(pids, before, strict=True)]
    speaking.cancel()
    for speaker in speakers:
        if speaker.lost:
            raise SystemExit(f"A session was lost: {speaker.lost}")
        speaker.leave()
    return [cost / (sessions * seconds) for cost in spent]


async def bench(arguments: argparse.Namespace) -> None:
    """Prints the table."""
    sessions, seconds = arguments.sessions, arguments.seconds
    speech = recorded_chunks(arguments.speech) if arguments.speech else sample_chunks()
    cases = [
        Case("speech, interims", speech, True),
        Case("speech, finals only", speech, False),
        Case("room noise", noise(60), True),
        Case("digital silence", noise(0), True),
    ]
    env = {"SLOTS": str(sessions), "MODEL": arguments.model}
    print(
        f"{arguments.engine}: {sessions} sessions, {seconds:g} s each; "
        "processor ms a second of audio\n"
    )
    print(f"{'':22}{'gateway':>10}{'transcriber':>13}{'broker':>9}   sessions a core")
    for case in cases:
        async with Stack(engine=arguments.engine, env=env) as stack:
            gateway, transcriber, broker = await measure(stack, case, sessions, seconds)
        print(
            f"{case.name:22}{gateway * 1e3:10.1f}{transcriber * 1e3:13.1f}{broker * 1e3:9.1f}"
            f"{1 / transcriber:12.1f} of a transcriber, {1 / (gateway or 1e-9):.0f} of a gateway",
            flush=True,
        )


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="moonshine")
    parser.add_argument("--model", default="", help="MODEL of the engine, an absolute path")
    parser.add_argument("--speech", type=Path, help="a WAV file of 16 kHz, mono, 16 bits")
    parser.add_argument("--sessions", type=int, default=2, help="so few that all keep up")
    parser.add_argument("--seconds", type=float, default=40.0, help="for each case")
    arguments = parser.parse_args()
    if not Path("/proc/self/stat").exists():
        raise SystemExit("This needs /proc: run it on Linux.")
    uvloop.run(bench(arguments))


if __name__ == "__main__":
    main()
