"""Runs the chaos suite: ``make chaos ARGS="--runs 3 --faults worker-kill,broker-pause"``."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
import time
from pathlib import Path

from .cases import CASES
from .recordings import recordings
from .rounds import Outcome, disturbed, make_plans, undisturbed
from .schedules import run_schedules
from .system import System
from .table import is_clean, table

_SECONDS = 18.0
_TRANSCRIBERS = 3
_ENDS_CONNECTIONS = frozenset(case.key for case in CASES if case.may_close)


def main() -> None:
    """Runs what the command line asks for; exits with 1 if a promise was broken."""
    options = _parse()
    print(f"seed {options.seed}, engine {options.engine}", flush=True)
    began = time.monotonic()
    if options.schedules:
        kept = asyncio.run(run_schedules(options.schedules, options.seed, options.log))
    else:
        kept = asyncio.run(_run_rounds(options))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    cores = os.cpu_count()
    print(f"{time.monotonic() - began:.0f} s on {cores} cores, load {load} at the end")
    sys.exit(0 if kept else 1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    keys = ",".join(case.key for case in CASES)
    parser.add_argument("--runs", type=int, default=1, help="rounds of each fault")
    parser.add_argument("--faults", default=keys, help=f"which, of {keys}")
    parser.add_argument("--sessions", type=int, default=8, help="sessions at once")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="length of a session")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--engine", choices=("moonshine", "mock"), default="moonshine")
    parser.add_argument(
        "--compressed", action="store_true", help="stream in containers (no faults of gateways)"
    )
    parser.add_argument(
        "--blobs", action="store_true", help="send every 2 s what was said, as recorders do"
    )
    parser.add_argument("--schedules", type=int, default=0, help="random schedules, mock engine")
    parser.add_argument("--log", type=Path, default=None, help="file for what all services say")
    options = parser.parse_args()
    if options.compressed:
        # A stream in a container can not go on behind a break.
        wanted = options.faults.split(",")
        options.faults = ",".join(key for key in wanted if key not in _ENDS_CONNECTIONS)
    unknown = set(options.faults.split(",")) - {case.key for case in CASES}
    if unknown:
        parser.error(f"unknown faults: {', '.join(sorted(unknown))}")
    return options


async def _run_rounds(options: argparse.Namespace) -> bool:
    wanted = options.faults.split(",")
    cases = [case for case in CASES if case.key in wanted]
    most = max(options.sessions, *(case.least_sessions for case in cases))
    material = recordings(most, options.seconds)
    plans = make_plans(material, in_containers=options.compressed, in_blobs=options.blobs)
    outcomes: list[Outcome] = []
    async with System(engine=options.engine, transcribers=_TRANSCRIBERS, log=options.log) as system:
        expected = await undisturbed(system, plans)
        finals = sum(len(each.finals) for each in expected.values())
        print(f"{len(plans)} recordings, {finals} finals undisturbed", flush=True)
        seed = options.seed
        for _ in range(options.runs):
            for case in cases:
                chosen = plans[: max(options.sessions, case.least_sessions)]
                outcome = await disturbed(system, case, chosen, expected, seed)
                outcomes.append(outcome)
                _tell(outcome)
                seed += 1
        lasting = await system.lasting_keys()
    print("\n" + table(outcomes) + "\n")
    if lasting:
        print(f"keys that would stay for ever: {lasting}")
    print(f"clients sent at most {max(o.late for o in outcomes):.2f} s behind their time")
    return not lasting and all(map(is_clean, outcomes))


def _tell(outcome: Outcome) -> None:
    gap = max(verdict.gap for verdict in outcome.verdicts)
    kept = "kept" if is_clean(outcome) else "BROKEN"
    print(f"{outcome.case.key}, seed {outcome.seed}: {outcome.what}; {kept}, gap {gap:.2f} s")
    for verdict in outcome.verdicts:
        for difference in verdict.differences:
            print(f"    {difference}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
