"""Recordings that are posted: the gateway's memory, the pace, and what live talkers notice.

First one long recording is posted alone; the gateway's resident memory is read four times a second.
Then some talkers speak alone, and the same number beside ten recordings that are posted together,
in one run: how much later are their finals? One transcriber with one thread on one core; all else
on the others. Uploads lend their slots, so as many talkers as slots are heard beside them. Linux
only.

Run with ``make bench-uploads``; ``ARGS="--minutes 60 --talkers 10"`` for other numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from itertools import cycle
from pathlib import Path

import httpx
import uvloop

import bare
from deck import Choice, pieces
from interim_designs import Interims
from report import LEVEL_HEAD, level_row
from rig import Rig, cores_for, quantile, rig
from speakers import sample_chunks

PATH = "/v1/listen?encoding=linear16&sample_rate=16000&smart_format=true"
MIB = 1024 * 1024
LOOK_SECONDS = 0.25
TIMEOUT_SECONDS = 3600.0


async def recording(minutes: float) -> AsyncIterator[bytes]:
    """Yields speech of about so many minutes, as fast as it is taken."""
    chunks = sample_chunks()
    size = sum(map(len, chunks))
    for _ in range(max(1, round(minutes * 60 * 32_000 / size))):
        for chunk in chunks:
            yield chunk


def resident(pid: int) -> int:
    """Returns the resident memory of a process in bytes."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


async def post(client: httpx.AsyncClient, url: str, minutes: float) -> float:
    """Posts a recording; returns the seconds of audio that the answer is for."""
    answer = await client.post(url, content=recording(minutes))
    answer.raise_for_status()
    return float(answer.json()["metadata"]["duration"])


async def alone(system: Rig, minutes: float) -> None:
    """Prints the pace of one recording, and the gateway's memory meanwhile."""
    pid = system.stack.gateway
    assert pid is not None
    before, seen = resident(pid), list[int]()

    async def watch() -> None:
        while True:
            seen.append(resident(pid))
            await asyncio.sleep(LOOK_SECONDS)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
        seconds = await post(client, system.stack.url + PATH, minutes)
    took = time.perf_counter() - began
    watching.cancel()
    print(f"{seconds / 60:.1f} minutes took {took:.0f} s: {seconds / took:.1f} x real time")
    quarter = max(1, len(seen) // 4)
    means = [sum(part) / len(part) / MIB for part in (seen[:quarter], seen[-quarter:])]
    print(
        f"gateway: {before / MIB:.0f} MiB before, {means[0]:.0f} in the first quarter, "
        f"{means[1]:.0f} in the last, {max(seen) / MIB:.0f} at most\n"
    )


async def beside(system: Rig, talkers: int, uploads: int, minutes: float, seconds: float) -> None:
    """Prints what talkers see alone, and beside recordings."""
    dues = (await bare.measure(Interims.SCRIPTA, cores_for(1))).dues
    deck = cycle(pieces(Choice.READ, dues))
    print(LEVEL_HEAD)
    calm = await system.level(deck, talkers, seconds)
    print(level_row(calm), flush=True)
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
        posting = [
            asyncio.create_task(post(client, system.stack.url + PATH, minutes))
            for _ in range(uploads)
        ]
        crowded = await system.level(deck, talkers, seconds)
        print(level_row(crowded), flush=True)
        busy = sum(not task.done() for task in posting)
        for task in posting:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*posting)
    before, after = (quantile(level.finals, 0.95) for level in (calm, crowded))
    print(f"\nfinals p95 {1000 * before:.0f} ms alone, {1000 * after:.0f} ms beside {uploads}")
    print(f"ratio {after / before:.2f}; {busy} of the recordings were not done by then")


async def bench(arguments: argparse.Namespace) -> int:
    """Prints both; returns the process's exit code."""
    async with rig(1, slots=arguments.slots) as system:
        await alone(system, arguments.minutes)
        await beside(
            system, arguments.talkers, arguments.uploads, arguments.minutes, arguments.seconds
        )
    return 0


def main() -> int:
    """Runs it; returns the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="length of a recording")
    parser.add_argument("--talkers", type=int, default=4, help="live sessions")
    parser.add_argument("--slots", type=int, default=12, help="of the transcriber")
    parser.add_argument("--uploads", type=int, default=10, help="recordings beside them")
    parser.add_argument("--seconds", type=float, default=60.0, help="time of each level")
    return uvloop.run(bench(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
