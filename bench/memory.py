"""Memory of the gateway per live session, beside the audio that it has to keep.

Opens more and more sessions that stream raw audio at the pace of speech and, at each number,
reads by how much the gateway's resident memory has grown since before its first session. From
that it takes the audio that the gateway keeps until a transcriber has decided it, known from what
was acknowledged and from the checkpoints; what an idle process has free hides a part of the first
sessions, so the larger numbers tell more (and the rest may be negative). With the real engine
this many talkers are more than two cores can follow: they keep much audio. Everything runs on
this machine; Linux only, for ``/proc``.

Run with ``make bench-memory``; ``ARGS="--sessions 50 400 --engines mock"`` for other numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uvloop
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.wire import BYTES_PER_SAMPLE
from scripta_local.stack import Stack
from speakers import Speaker, connect, sample_chunks, speak

KIB = 1024
OPENED_TOGETHER = 10
DRAIN_SECONDS = 20.0
LIMITS = {"mock": 200, "moonshine": 50}
"""Most live sessions that this bench asks of each engine on two cores by default."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the gateway, in bytes.

    Attributes:
        resident: Its resident memory.
        audio: What all sessions keep until it is decided.
    """

    resident: int
    audio: int


class Gauge:
    """Reads a gateway's memory and what its sessions keep."""

    def __init__(self, pid: int, redis: Redis) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._redis = redis

    def resident(self) -> int:
        """Returns the gateway's resident memory in bytes."""
        lines = self._status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * KIB

    async def read(self, speakers: Sequence[Speaker]) -> Reading:
        """Returns the memory now, and the audio that the log has not decided."""
        async with self._redis.pipeline(transaction=False) as batch:
            for speaker in speakers:
                batch.hget(keys.state(speaker.sid), "cp_sample")
            decided = [int(sample or 0) * BYTES_PER_SAMPLE for sample in await batch.execute()]
        kept = sum(max(0, s.accepted - d) for s, d in zip(speakers, decided, strict=True))
        return Reading(self.resident(), kept)

    async def watch(self, speakers: Sequence[Speaker], seconds: float) -> Reading:
        """Returns the median over some seconds."""
        readings = []
        for _ in range(max(1, round(seconds / 0.5))):
            readings.append(await self.read(speakers))
            await asyncio.sleep(0.5)
        return Reading(
            int(median(r.resident for r in readings)), int(median(r.audio for r in readings))
        )


async def until_gone(redis: Redis) -> None:
    """Waits, for a bounded time, until every session is transcribed and let go of."""
    for _ in range(round(DRAIN_SECONDS / 0.1)):
        if not await redis.xlen(keys.ASSIGN):
            return
        await asyncio.sleep(0.1)


async def measure(engine: str, sizes: Sequence[int], seconds: float, limit: float) -> bool:
    """Prints an engine's table; returns whether it is below the limit (KB a session)."""
    chunks = sample_chunks()
    env = {"SLOTS": str(max(sizes) + 1)}
    good = True
    async with Stack(engine=engine, restart=False, env=env) as stack:
        redis = Redis.from_url(stack.redis_url, protocol=3, legacy_responses=False)
        assert stack.gateway is not None
        gauge = Gauge(stack.gateway, redis)
        speakers: list[Speaker] = []
        speaking = asyncio.create_task(speak(speakers), name="speak")
        idle = gauge.resident()
        print(f"\n{engine:10} sessions   RSS MB   growth   kept audio   rest (KB a session)")
        _row(0, idle)
        for size in sizes:
            while len(speakers) < size:
                more = range(len(speakers), min(size, len(speakers) + OPENED_TOGETHER))
                urls = (connect(stack.ws_url, chunks, number * 7) for number in more)
                speakers.extend(await asyncio.gather(*urls))
            await asyncio.sleep(seconds)
            reading = await gauge.watch(speakers, seconds / 2)
            grown, kept = (reading.resident - idle) / size / KIB, reading.audio / size / KIB
            _row(size, reading.resident, f"{grown:8.1f} {kept:12.1f} {grown - kept:6.1f}")
            lost = [speaker.lost for speaker in speakers if speaker.lost]
            good = good and grown - kept < limit and not lost
            if lost:
                print(f"{len(lost)} sessions were lost: {lost[0]}")
        speaking.cancel()
        for speaker in speakers:
            speaker.leave()
        await until_gone(redis)
        _row(0, (await gauge.watch([], seconds / 2)).resident, "  when all have left")
        await redis.aclose()
    return good


def _row(sessions: int, resident: int, rest: str = "") -> None:
    print(f"{'':10} {sessions:8} {resident / KIB**2:8.1f} {rest}", flush=True)


async def bench(engines: Sequence[str], sizes: Sequence[int], seconds: float, limit: float) -> int:
    """Prints the tables; returns the process's exit code."""
    good = True
    for engine in engines:
        most = LIMITS.get(engine, max(sizes))
        good = await measure(engine, [s for s in sizes if s <= most], seconds, limit) and good
    print(f"\nTarget: rest below {limit:g} KB a session.")
    return 0 if good else 1


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, nargs="+", default=[10, 50, 100, 200])
    parser.add_argument("--engines", nargs="+", default=list(LIMITS))
    parser.add_argument("--seconds", type=float, default=6.0, help="for each number")
    parser.add_argument("--limit", type=float, default=200.0, help="KB a session")
    arguments = parser.parse_args()
    if not Path("/proc/self/status").exists():
        raise SystemExit("This needs /proc: run it on Linux.")
    sizes = sorted(arguments.sessions)
    sys.exit(uvloop.run(bench(arguments.engines, sizes, arguments.seconds, arguments.limit)))


if __name__ == "__main__":
    main()
