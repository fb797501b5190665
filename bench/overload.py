"""Twice as many clients as a transcriber has slots for: who is admitted keeps the figures.

The transcriber gets as many slots as it has capacity, and the line no places. Half of the clients
are admitted; the others are refused with 503 and try again as they are told to, all the while.

One thread on one core, all else on the others. Linux only. Run with
``make bench-overload ARGS="--capacity 9"``; without it the capacity is looked for first.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import picows
import uvloop

import bare
from deck import Choice, Piece, pieces
from interim_designs import Interims
from latency import capacity
from report import LEVEL_HEAD, Targets, level_row
from rig import SETTLE_SECONDS, Level, Rig, cores_for, quantile, rig
from search import Bar
from talkers import Talker, Tally, connect, speak


@dataclass(slots=True)
class Crowd:
    """Clients that want in.

    Attributes:
        admitted: Those that are.
        answers: Seconds that each refusal with 503 took.
        odd: Other answers, and refusals that do not say when to come back.
    """

    admitted: list[Talker] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    async def knock(self, url: str, deck: Iterator[Piece], tally: Tally) -> None:
        """Tries to be admitted until it is."""
        while True:
            began = time.perf_counter()
            try:
                self.admitted.append(await connect(url, deck, tally))
            except picows.WSHandshakeError as error:
                await asyncio.sleep(self._refused(error, time.perf_counter() - began))
            else:
                return

    def _refused(self, error: picows.WSHandshakeError, took: float) -> float:
        """Notes a refusal; returns how long to wait."""
        status = error.response.status if error.response else 0
        later = error.response.headers.get("Retry-After") if error.response else None
        if status == 503 and later is not None:
            self.answers.append(took)
            return float(later)
        self.odd.append(f"{status}, Retry-After: {later}")
        return 1.0


async def storm(
    system: Rig, deck: list[Piece], offered: int, seconds: float
) -> tuple[Level, Crowd]:
    """Returns what the admitted see while the others knock."""
    tally, crowd = Tally(), Crowd()
    speaking = asyncio.create_task(speak(crowd.admitted), name="speak")
    said = cycle(deck)
    async with asyncio.TaskGroup() as group:
        knocking = []
        for _ in range(offered):
            knocking.append(group.create_task(crowd.knock(system.stack.ws_url, said, tally)))
            await asyncio.sleep(SETTLE_SECONDS / 2 / offered)
        await asyncio.sleep(SETTLE_SECONDS / 2)
        level = await system.watch(tally, len(crowd.admitted), seconds)
        for task in knocking:
            task.cancel()
    speaking.cancel()
    await system.end(crowd.admitted)
    return system.with_own(level), crowd


async def bench(arguments: argparse.Namespace) -> int:
    """Prints what was found; returns the process's exit code."""
    most = arguments.capacity or await capacity(60.0, Bar())
    limit = await bare.measure(Interims.SCRIPTA, cores_for(1))
    deck = pieces(Choice.READ, limit.dues)
    async with rig(1, env={"SLOTS": str(most), "MAX_WAITING": "0"}) as system:
        level, crowd = await storm(system, deck, 2 * most, arguments.seconds)
    print(f"{2 * most} clients, {most} slots, nobody may wait\n\n{LEVEL_HEAD}\n{level_row(level)}")
    refusals = quantile(crowd.answers, 0.95)
    print(
        f"{len(crowd.answers)} refusals with 503 and Retry-After, 95 of 100 in {refusals:.3f} s\n"
    )
    targets = Targets()
    targets.at_most("first words p95 in ms", 1000 * quantile(level.tally.first_words, 0.95), 600)
    targets.at_most("finals p95 in ms", 1000 * quantile(level.finals, 0.95), 500)
    targets.at_least("admitted", len(crowd.admitted), most)
    targets.at_most("admitted", len(crowd.admitted), most)
    targets.at_least("refusals", len(crowd.answers), most)
    targets.at_most("other answers", len(crowd.odd), 0)
    wrong = len(level.tally.differing) + len(level.tally.lost)
    targets.at_most("finals that differ, or sessions lost", wrong, 0)
    return 0 if targets.reached else 1


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--capacity", type=int, help="sessions that one thread sustains")
    parser.add_argument("--seconds", type=float, default=90.0)
    if not Path("/proc/self/stat").exists():
        raise SystemExit("This needs /proc: run it on Linux.")
    sys.exit(uvloop.run(bench(parser.parse_args())))


if __name__ == "__main__":
    main()
