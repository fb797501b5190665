"""Fuzzes the decoders: ``make fuzz ARGS="--mutations 100000"``."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from fuzz.drive import Drive, Found
from scripta_gateway.audio.processes import SHARED_PROCESSES


def _numbers(first: int, count: int) -> Iterator[int]:
    """Yields the numbers of mutations, and says now and then how far it is."""
    began = time.monotonic()
    for number in itertools.islice(itertools.count(first), count):
        done = number - first
        if done and done % 5000 == 0:
            print(f"{done} mutations, {done / (time.monotonic() - began):.0f} a second", flush=True)
        yield number


def _report(found: Found, seconds: float) -> int:
    total = found.outcomes.total()
    print(f"\n{total} mutations in {seconds:.0f} s; the longest took {found.longest:.2f} s")
    for outcome, count in found.outcomes.most_common():
        print(f"  {count:7} {outcome}")
    for number, outcome in sorted(found.killers.items()):
        print(f"  mutation {number} {outcome}")
    late = sorted(found.latencies)
    print(
        f"{len(late)} messages of neighbours: p50 {1000 * late[len(late) // 2]:.0f} ms, "
        f"p99 {1000 * late[len(late) * 99 // 100]:.0f} ms, worst {1000 * late[-1]:.0f} ms; "
        f"{found.changed} of their streams were changed"
    )
    return 1 if found.changed else 0


def main() -> None:
    """Parses the arguments and runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=6)
    parser.add_argument("--keep", type=Path, help="folder for files that cost a decoder")
    options = parser.parse_args()
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    numbers = _numbers(options.first, options.mutations)
    drive = Drive(options.seed, numbers, keep=options.keep, at_once=options.at_once)
    began = time.monotonic()
    found = asyncio.run(drive.run())
    SHARED_PROCESSES.close()
    sys.exit(_report(found, time.monotonic() - began))


if __name__ == "__main__":
    main()
