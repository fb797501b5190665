"""How many people one transcriber follows who talk without a pause, beside the bare engine.

For one thread on one core, and for two on two: the most live sessions (continuous read speech,
messages of 100 ms, interims every half second) for which 95 of 100 finals are at their client's
socket within 500 ms of the message that decided them (so the endpointing wait is not in it), and
interims come nearly as often as asked for.

Beside it, on the same audio, cores and segments: (a) the bare engine in one process, as fast as it
can, whose limit is reckoned from the processor time that it takes; (b) the same system with dearer
interims: not drafted, or hearing the whole open segment, or both, and the second by the graphs of
the model as they are published. Finals are compared to the letter, over all English recordings,
between the bare engine, one session, and as many as were found.

Linux only. Run with ``make bench-capacity``; ``ARGS="--threads 1 --rounds 1"`` for less.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median

import uvloop

import bare
from deck import CHUNK_SECONDS, Choice, Piece, pieces, seconds_of
from interim_designs import Interims
from report import LEVEL_HEAD, Targets, level_row, spread
from rig import Level, Rig, cores_for, rig
from search import Bar, most_sustained
from talkers import Tally, connect

OF_THE_LIMIT = 0.85
TIMES = {
    Interims.UNDRAFTED: 1.5,
    Interims.WHOLE: 2.0,
    Interims.PLAIN: 2.0,
    Interims.PUBLISHED: 2.0,
}
"""Times its sessions that ours must be."""

UNACKNOWLEDGED = 20


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one way to make interims.

    Attributes:
        limit: What the bare engine does.
        level: The largest load that the system sustained, if any.
    """

    limit: bare.Heard
    level: Level | None
    threads: int

    @property
    def most(self) -> float:
        """Sessions that the bare engine could serve if nothing else used its cores."""
        return self.threads * self.limit.audio / self.limit.cpu

    @property
    def sessions(self) -> int:
        """Sessions that the system sustained."""
        return self.level.sessions if self.level else 0


async def find(design: Interims, threads: int, bar: Bar, seconds: float, start: int) -> Round:
    """Returns what bare engine and system do with some way to make interims."""
    limit = await bare.measure(design, cores_for(threads))
    deck = cycle(pieces(Choice.READ, limit.dues))
    async with rig(threads, design) as system:

        async def measure(sessions: int) -> Level:
            level = await system.level(deck, sessions, seconds)
            print(level_row(level), flush=True)
            return level

        start = start or round(OF_THE_LIMIT * threads * limit.audio / limit.cpu)
        return Round(limit, await most_sustained(measure, bar, start), threads)


async def alone(system: Rig, said: Sequence[Piece]) -> Tally:
    """Returns what one session hears that speaks as fast as it is taken."""
    tally = Tally(since=time.perf_counter())
    talker = await connect(system.stack.ws_url, iter(said), tally, UNACKNOWLEDGED)
    async with asyncio.timeout(60.0 + seconds_of(said)):
        await talker.over.wait()
    return tally


async def together(system: Rig, said: Sequence[Piece], sessions: int) -> Tally:
    """Returns what live sessions hear that say everything once or more."""
    said = sorted(said, key=lambda piece: -len(piece.chunks))
    longest = len(said[0].chunks) * CHUNK_SECONDS
    seconds = 1.1 * max(longest, seconds_of(said) / sessions + longest / 4)
    return (await system.level(cycle(said), sessions, seconds)).tally


async def compare(threads: int, sessions: int) -> int:
    """Prints which finals are not those of the bare engine; returns how many."""
    limit = await bare.measure(Interims.SCRIPTA, cores_for(threads), Choice.ENGLISH)
    said = pieces(Choice.ENGLISH, limit.dues)
    wrong = 0
    async with rig(threads) as system:
        heard = {"1 session": await alone(system, said)}
        if sessions:
            heard[f"{sessions} sessions"] = await together(system, said, sessions)
    for who, tally in heard.items():
        unheard = {piece.name for piece in said} - set(tally.heard)
        finals = sum(len(limit.dues[name]) * count for name, count in tally.heard.items())
        print(
            f"{who}: {finals} finals of {len(tally.heard)} recordings, {len(tally.differing)} not "
            f"those of the bare engine; {len(unheard)} recordings were not heard"
        )
        print("".join(f"  {line}\n" for line in (tally.lost + tally.differing)[:5]), end="")
        wrong += len(tally.differing) + len(unheard) + len(tally.lost)
    return wrong


def summarize(rounds: dict[Interims, list[Round]]) -> None:
    """Prints a line for each way to make interims."""
    print(
        f"\n{'':10}{'bare: sessions':>18}{'wall':>18}{'CPU ms/s':>16}"
        f"{'system: sessions':>18}{'CPU ms/s':>16}{'others':>12}{'interims':>16}{'stable':>8}"
    )
    for design, found in rounds.items():
        limits, levels = [one.limit for one in found], [one.level for one in found if one.level]
        print(
            f"{design:10}{spread([one.most for one in found]):>18}"
            f"{spread([limit.audio / limit.wall for limit in limits]):>18}"
            f"{spread([1000 * limit.cpu / limit.audio for limit in limits], 0):>16}"
            f"{spread([one.sessions for one in found], 0):>18}"
            f"{spread([1000 * level.transcriber / level.sessions for level in levels], 0):>16}"
            f"{spread([1000 * level.others / level.sessions for level in levels], 0):>12}"
            f"{spread([100 * level.interims for level in levels], 0):>15}%"
            f"{spread([100 * level.stable for level in levels], 0):>7}%"
        )


async def bench(arguments: argparse.Namespace) -> int:
    """Prints the tables; returns the process's exit code."""
    bar, targets = Bar(interims=arguments.interims), Targets()
    for threads in arguments.threads:
        print(f"\n# {threads} thread{'s' * (threads > 1)}, a core each\n\n{LEVEL_HEAD}")
        rounds: dict[Interims, list[Round]] = {design: [] for design in arguments.designs}
        for _ in range(arguments.rounds):
            for design, found in rounds.items():
                print(f"{design}:")
                start = found[-1].sessions if found else 0
                found.append(await find(design, threads, bar, arguments.seconds, start))
        summarize(rounds)
        print()
        judge(targets, rounds)
        if Interims.SCRIPTA in rounds:
            sessions = round(median(one.sessions for one in rounds[Interims.SCRIPTA]))
            wrong = await compare(threads, sessions)
            targets.at_most("finals that differ, or are missing", wrong, 0)
    return 0 if targets.reached else 1


def judge(targets: Targets, rounds: dict[Interims, list[Round]]) -> None:
    """Prints whether capacities stand to each other as they should."""
    ours = rounds.get(Interims.SCRIPTA, [])
    if not ours:
        return
    share = median(one.sessions / one.most for one in ours)
    targets.at_least("of the bare engine's limit", share, OF_THE_LIMIT)
    for design, wanted in TIMES.items():
        if design in rounds:
            pairs = zip(ours, rounds[design], strict=True)
            gain = median(one.sessions / max(1, other.sessions) for one, other in pairs)
            targets.at_least(f"times the sessions of {design}", gain, wanted)


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--designs", type=Interims, nargs="+", default=list(Interims))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each number of sessions")
    parser.add_argument(
        "--interims", type=float, default=0.9, help="least share of the bare engine's"
    )
    if not Path("/proc/self/stat").exists():
        raise SystemExit("This needs /proc: run it on Linux.")
    sys.exit(uvloop.run(bench(parser.parse_args())))


if __name__ == "__main__":
    main()
