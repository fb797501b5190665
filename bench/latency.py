"""How late words are at 1 session and at 25, 50, 75 and 100 % of a transcriber's capacity.

Per session and segment: first words, from sending the message in which somebody begins to speak
to the first interim that has words; and finals, from sending the message that decides the segment's
end. Both are taken at the clients' sockets. A final's time is parted: ``own`` is the system's
own share, for which no engine was at work: all but voice detection, decoding, and waiting for a
thread that does either for others. Where the services' own metrics see the time (means) stands
below, with the transcriber's waits for a thread; there ``queue`` holds those waits too.

One thread on one core, all else on the others. Linux only. Run with ``make bench-latency``;
``ARGS="--capacity 9"`` if you know the capacity (else it is looked for first).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import urllib.request
from itertools import cycle
from pathlib import Path

import uvloop
from prometheus_client.parser import text_string_to_metric_families

import bare
from capacity import find
from deck import Choice, Piece, pieces
from interim_designs import Interims
from report import LEVEL_HEAD, Targets, level_row
from rig import Level, Rig, cores_for, quantile, rig
from search import Bar

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
JUDGED = 0.75
"""Share of the capacity at which the targets hold."""

PARTS = ("append", "queue", "decode", "commit", "relay")

Sums = dict[tuple[str, str, str], float]
"""Sums and counts of histograms, by name and two labels."""


def scrape(port: int) -> Sums:
    """Returns the sums and counts of a service's latencies."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return {
        (sample.name, sample.labels.get("result", ""), sample.labels.get(label, "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        for label in ("part", "kind")
        if label in sample.labels and sample.name.endswith(("_sum", "_count"))
    }


async def seen(system: Rig) -> Sums:
    """Returns the sums and counts of both services' latencies."""
    ports = (system.stack.gateway_ports[0], system.stack.transcriber_ports[0])
    parts = [await asyncio.to_thread(scrape, port) for port in ports]
    return parts[0] | parts[1]


def mean(before: Sums, after: Sums, name: str, result: str, label: str) -> float:
    """Returns the mean of what was observed between two looks, in milliseconds."""
    total, count = (
        after[f"{name}_{what}", result, label] - before[f"{name}_{what}", result, label]
        for what in ("sum", "count")
    )
    return 1000 * total / count if count else 0.0


def parts_row(sessions: int, before: Sums, after: Sums) -> str:
    """Returns where the time of finals was spent as the services saw it."""
    name = "scripta_gateway_latency_part_seconds"
    parts = [mean(before, after, name, "final", part) for part in PARTS]
    waits = [
        mean(before, after, "scripta_transcriber_queue_seconds", "", kind)
        for kind in ("final", "interim")
    ]
    return f"{sessions:8}" + "".join(f"{value:10.1f}" for value in (*parts, *waits))


async def capacity(seconds: float, bar: Bar) -> int:
    """Returns the sessions that one thread sustains."""
    print("Looking for the capacity …")
    found = await find(Interims.SCRIPTA, 1, bar, seconds, 0)
    if not found.sessions:
        raise SystemExit("Not even one session is sustained.")
    print(f"Capacity: {found.sessions} sessions.\n")
    return found.sessions


async def measure(deck: list[Piece], most: int, seconds: float) -> dict[float, Level]:
    """Prints the tables; returns what was measured at each share of the capacity."""
    levels, rows = {}, []
    async with rig(1) as system:
        print(LEVEL_HEAD)
        said = cycle(deck)
        for share in SHARES:
            sessions = max(1, round(share * most))
            before = await seen(system)
            # Few sessions say little: give them time for as many finals.
            longer = min(4.0, max(1.0, most / 2 / sessions))
            levels[share] = await system.level(said, sessions, longer * seconds)
            rows.append(parts_row(sessions, before, await seen(system)))
            print(level_row(levels[share]), flush=True)
    print(f"\nms in the mean{'':>4}" + "".join(f"{part:>10}" for part in PARTS)[4:], end="")
    print("   waits: final   interim")
    print("\n".join(rows) + "\n")
    return levels


async def bench(arguments: argparse.Namespace) -> int:
    """Prints the tables; returns the process's exit code."""
    most = arguments.capacity or await capacity(arguments.seconds, Bar())
    limit = await bare.measure(Interims.SCRIPTA, cores_for(1))
    levels = await measure(pieces(Choice.READ, limit.dues), most, arguments.seconds)
    targets, judged = Targets(), levels[JUDGED]
    print(f"At {JUDGED:.0%} of {most} sessions, in ms, 95 of 100:")
    targets.at_most("own share of finals", 1000 * quantile(judged.own, 0.95), 25)
    targets.at_most("first words", 1000 * quantile(judged.tally.first_words, 0.95), 600)
    targets.at_most("finals", 1000 * quantile(judged.finals, 0.95), 500)
    wrong = sum(len(level.tally.differing) + len(level.tally.lost) for level in levels.values())
    targets.at_most("finals that differ, or sessions lost", wrong, 0)
    return 0 if targets.reached else 1


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--capacity", type=int, help="sessions that one thread sustains")
    parser.add_argument("--seconds", type=float, default=120.0, help="for each number of sessions")
    if not Path("/proc/self/stat").exists():
        raise SystemExit("This needs /proc: run it on Linux.")
    sys.exit(uvloop.run(bench(parser.parse_args())))


if __name__ == "__main__":
    main()
