"""Whether memory grows over hours of audio through one transcriber with the real engine.

A few sessions say English recordings over and over, as fast as they are taken, with interims; each
says a quarter of an hour and makes room for the next. The resident memory of each process is
printed as it goes. The first half fills caches and what the allocator keeps; in the second half
it must not grow. Every final must be that of the bare engine.

Linux only, for ``/proc``. Run with ``make bench-endurance``; ``ARGS="--hours 0.5"`` for less.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, cycle
from pathlib import Path
from statistics import linear_regression, median

import uvloop

import bare
from deck import CHUNK_SECONDS, Choice, Piece, pieces
from growth import resident
from interim_designs import Interims
from report import Targets
from scripta_local.stack import Stack
from talkers import Tally, connect

SESSION_HOURS = 0.25
AHEAD = 100
"""Messages of 100 ms that a session may be ahead of its acknowledgements."""

SLOWEST = 2.0
"""Times the pace of speech at which all sessions together must be taken."""

LOOK_SECONDS = 1.0
LINES = 16
MIB = 1024
PROCESSES = ("gateway", "transcriber", "broker")


@dataclass(frozen=True, slots=True)
class Reading:
    """One look.

    Attributes:
        heard: Hours of audio transcribed so far.
        resident: Memory of gateway, transcriber and broker in MiB.
    """

    heard: float
    resident: tuple[float, ...]


def hours_of(piece: Piece) -> float:
    """Returns how long a recording takes."""
    return len(piece.chunks) * CHUNK_SECONDS / 3600


def speech(pieces: Iterator[Piece], hours: float) -> Iterator[Piece]:
    """Yields recordings until so much is said or there are no more."""
    said = 0.0
    while said < hours and (piece := next(pieces, None)) is not None:
        said += hours_of(piece)
        yield piece


async def talk(url: str, program: Iterator[Piece], tally: Tally) -> None:
    """Says a quarter of an hour in each session, one after the other, until the program is over."""
    while (first := next(program, None)) is not None:
        part = chain((first,), speech(program, SESSION_HOURS))
        talker = await connect(url, part, tally, AHEAD)
        await talker.over.wait()


def look(stack: Stack, deck: Sequence[Piece], tally: Tally) -> Reading:
    """Returns how far it is and what memory it takes."""
    assert stack.broker is not None
    pids = (stack.gateway, *stack.transcribers, stack.broker.pid)
    heard = sum(tally.heard[piece.name] * hours_of(piece) for piece in deck)
    return Reading(heard, tuple(resident(pid) / MIB for pid in pids if pid is not None))


async def endure(stack: Stack, deck: Sequence[Piece], hours: float, sessions: int) -> list[Reading]:
    """Prints a line every so many minutes of audio; returns all readings.

    Raises:
        SystemExit: A final was wrong, a session was lost, or it takes too long.
    """
    program, tally = speech(cycle(deck), hours), Tally()
    readings: list[Reading] = []
    began = time.perf_counter()
    print(f"{'audio':>8}{'time':>9}" + "".join(f"{name + ' MiB':>17}" for name in PROCESSES))
    async with asyncio.timeout(3600 * hours / SLOWEST), asyncio.TaskGroup() as group:
        talking = [group.create_task(talk(stack.ws_url, program, tally)) for _ in range(sessions)]
        while not all(task.done() for task in talking):
            await asyncio.wait(talking, timeout=LOOK_SECONDS)
            readings.append(look(stack, deck, tally))
            if len(readings) < 2 or _turn(readings[-1], hours) > _turn(readings[-2], hours):
                print(_row(readings[-1], time.perf_counter() - began), flush=True)
            if tally.differing or tally.lost:
                raise SystemExit(f"Not as it should be: {(tally.lost + tally.differing)[0]}")
    passed = time.perf_counter() - began
    speed = 3600 * hours / passed
    print(f"\n{hours:g} h of audio in {passed / 60:.1f} min: {speed:.1f} times as fast")
    print(f"{sum(tally.heard.values())} recordings, every final that of the bare engine")
    return readings


def _turn(reading: Reading, hours: float) -> int:
    return int(LINES * reading.heard / hours)


def _row(reading: Reading, passed: float) -> str:
    cells = "".join(f"{value:17.1f}" for value in reading.resident)
    return f"{60 * reading.heard:4.0f} min{passed / 60:5.1f} min{cells}"


def judge(readings: Sequence[Reading], hours: float, most: float) -> bool:
    """Prints by how much each process has grown; returns whether it is little enough."""
    targets = Targets()
    third, fourth = (
        [r for r in readings if low <= r.heard / hours < high]
        for low, high in ((0.5, 0.75), (0.75, 2))
    )
    late = third + fourth
    for place, name in enumerate(PROCESSES):
        slope, _ = linear_regression([r.heard for r in late], [r.resident[place] for r in late])
        grown = median(r.resident[place] for r in fourth) - median(r.resident[place] for r in third)
        what = f"MiB that the {name} has grown by, fourth quarter against third"
        targets.at_most(f"{what} (slope {slope:+.2f} an hour of audio)", grown, most)
    return targets.reached


async def bench(arguments: argparse.Namespace) -> int:
    """Prints what was found; returns the process's exit code."""
    cores = sorted(os.sched_getaffinity(0))[-1:]
    limit = await bare.measure(Interims.SCRIPTA, cores, Choice.ENGLISH)
    deck = pieces(Choice.ENGLISH, limit.dues)
    env = {"SLOTS": str(arguments.sessions)}
    async with Stack(restart=False, env=env) as stack:
        readings = await endure(stack, deck, arguments.hours, arguments.sessions)
    return 0 if judge(readings, arguments.hours, arguments.limit) else 1


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--hours", type=float, default=4.0, help="of audio, of all sessions together"
    )
    parser.add_argument("--sessions", type=int, default=4)
    parser.add_argument("--limit", type=float, default=4.0, help="MiB, of each process")
    if not Path("/proc/self/status").exists():
        raise SystemExit("This needs /proc: run it on Linux.")
    sys.exit(uvloop.run(bench(parser.parse_args())))


if __name__ == "__main__":
    main()
