"""Runs the attack suite: ``make hostile ARGS="--cases endless_head,long_text --seconds 8"``.

Each attack has a system of its own: a gateway under a memory limit of 1 GiB, a transcriber with the
mock engine, a broker. Neighbours send 100 ms of audio ten times a second, raw and as live streams
in containers; another client comes every second to say a word; ``/livez`` is asked twice a second.
The attacker is a process of its own. It exits with 1 if an attack hurt anybody else, or if the
attacker was not told why. How to add a case: see ``attack``.
"""

from __future__ import annotations

import argparse
import asyncio
import fnmatch
import os
import sys
import time
from pathlib import Path

from . import attacks  # noqa: F401 - they register themselves
from .attack import ATTACKS, Attack
from .judge import violations
from .rounds import Outcome, Pace, play
from .table import line, table


def main() -> None:
    """Runs what the command line asks for; exits with 1 if anything was violated."""
    options = _parse()
    if options.list:
        for attack in ATTACKS.values():
            print(f"{attack.key:<28} {attack.what}")
        return
    began = time.monotonic()
    if options.log is not None:
        options.log.mkdir(parents=True, exist_ok=True)
    outcomes = asyncio.run(_run(options))
    print("\n" + table(outcomes) + "\n")
    broken = [outcome.attack.key for outcome in outcomes if violations(outcome)]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(
        f"{len(outcomes) - len(broken)} of {len(outcomes)} attacks hurt nobody; "
        f"{time.monotonic() - began:.0f} s on {os.cpu_count()} cores, load {load} at the end"
    )
    if broken:
        print(f"broken: {','.join(broken)}")
    sys.exit(1 if broken else 0)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hostile", description=__doc__)
    parser.add_argument("--cases", default="*", help="names or patterns, joined by commas")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of an attack at least")
    parser.add_argument("--seed", type=int, default=0, help="for whatever is random")
    parser.add_argument("--log", type=Path, default=None, help="folder for what services say")
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter that has the services to attack"
    )
    parser.add_argument("--list", action="store_true", help="list the attacks")
    options = parser.parse_args()
    chosen = [
        attack
        for attack in ATTACKS.values()
        if any(fnmatch.fnmatch(attack.key, wanted) for wanted in options.cases.split(","))
    ]
    if not chosen:
        parser.error(f"no attack is called {options.cases}; --list names all")
    options.chosen = chosen
    return options


async def _run(options: argparse.Namespace) -> list[Outcome]:
    pace = Pace(seconds=options.seconds, seed=options.seed, python=options.python)
    outcomes = []
    for attack in options.chosen:
        outcomes.append(await _play(attack, pace, options.log))
        print(line(outcomes[-1]), flush=True)
    return outcomes


async def _play(attack: Attack, pace: Pace, folder: Path | None) -> Outcome:
    if folder is None:
        return await play(attack, pace)
    return await play(attack, pace, folder / f"{attack.key}.log")


if __name__ == "__main__":
    main()
