"""Random schedules: several faults on a few short sessions, many times, with the mock engine.

The mock engine gives one final a message, with its size in the text, so what is expected is
known without an undisturbed run and messages may come faster than real time.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

from scripta_local.process import Backoff

from .broker_faults import BrokerFailover, BrokerFull, BrokerKilled, BrokerPaused, ConnectionsReset
from .compare import Expected, Verdict, compare
from .faults import Fault
from .sessions import FINALIZE, Heard, Plan, speak
from .system import System
from .usage import audited
from .worker_faults import AllWorkersKilled, WorkerFrozen, WorkerKilled, WorkerTerminated

SAMPLE_RATE: Final = 16_000
LEASE: Final = 0.5
_TRANSCRIBERS: Final = 2
_PATIENCE: Final = 25.0
_SESSIONS: Final = 4
_STREAM_SECONDS: Final = 1.5
_TOLD: Final = ("index", "text", "start", "end", "reason")

FAULTS: Final[tuple[Fault, ...]] = (
    WorkerKilled(),
    AllWorkersKilled(),
    WorkerFrozen(3 * LEASE),
    WorkerTerminated(),
    ConnectionsReset("normal"),
    ConnectionsReset("pubsub"),
    BrokerPaused(0.4),
    BrokerKilled(down_seconds=0.1),
    BrokerKilled(empty=True, down_seconds=0.1),
    BrokerFull(0.4),
    BrokerFailover(0.2),
)


def schedule_system(log: Path | None = None) -> System:
    """Returns the system that schedules run in: everything goes faster than in real life."""
    backoff = Backoff(first=0.05, longest=0.2)
    return System(engine="mock", transcribers=_TRANSCRIBERS, log=log, lease=LEASE, backoff=backoff)


async def run_schedules(count: int, seed: int, log: Path | None) -> bool:
    """Runs ``count`` schedules with consecutive seeds; returns whether all kept the promise."""
    failed = []
    async with schedule_system(log) as system:
        for number in range(seed, seed + count):
            problems = await run_schedule(system, number)
            if problems:
                failed.append(number)
                print(f"schedule {number} FAILED:", *problems, sep="\n    ", flush=True)
        lasting = await system.lasting_keys()
    print(f"{count} schedules, {len(failed)} failed: {failed}; again with --schedules 1 --seed N")
    if lasting:
        print(f"keys that would stay for ever: {lasting}")
    return not failed and not lasting


async def run_schedule(system: System, seed: int) -> list[str]:
    """Runs one schedule; returns what went wrong, with what was done, or nothing."""
    rng = Random(seed)
    plans = [_make_plan(rng, number) for number in range(_SESSIONS)]
    heards = [Heard() for _ in plans]
    system.record.note(f"schedule {seed}")
    async with asyncio.TaskGroup() as group:
        for plan, heard in zip(plans, heards, strict=True):
            group.create_task(speak(system.stack.ws_url, plan, heard, _PATIENCE))
        done = await _inject_some(system, heards, rng)
    await system.heal()
    verdicts = [_judge(plan, heard) for plan, heard in zip(plans, heards, strict=True)]
    verdicts = await audited(system, heards, verdicts)
    problems = [
        f"{heard.sid}: {verdict.lost} lost, {verdict.doubled} doubled; {difference}"
        for heard, verdict in zip(heards, verdicts, strict=True)
        for difference in verdict.differences
    ]
    return [*done, *problems] if problems else []


async def _inject_some(system: System, heards: list[Heard], rng: Random) -> list[str]:
    done = []
    count = rng.randint(1, 3)
    for _ in range(count):
        await asyncio.sleep(rng.uniform(0.05, _STREAM_SECONDS / count))
        live = frozenset(heard.sid for heard in heards if heard.sid and heard.duration is None)
        injection = await rng.choice(FAULTS).inject(system, live, rng)
        system.record.note(injection.what)
        done.append(injection.what)
    return done


def _make_plan(rng: Random, number: int) -> Plan:
    count = rng.randint(30, 80)
    messages: list[bytes | str] = [
        rng.randbytes(2 * rng.randint(1, 2000)) if rng.random() < 0.95 else FINALIZE
        for _ in range(count)
    ]
    # A first message that looks like a file would be taken for one.
    messages[0] = bytes(2 * rng.randint(8, 2000))
    return Plan(f"{number}", tuple(messages), _STREAM_SECONDS / count, rng.uniform(0.0, 0.3))


def _judge(plan: Plan, heard: Heard) -> Verdict:
    """Compares with what the plan alone says: one final a message, in order, with its size."""
    ends = itertools.accumulate((len(message) // 2 for message in plan.audio), initial=0)
    expected = tuple(
        {
            "index": index,
            "text": str(len(message)),
            "start": round(start / SAMPLE_RATE, 3),
            "end": round(end / SAMPLE_RATE, 3),
            "reason": "message",
        }
        for index, (message, (start, end)) in enumerate(
            zip(plan.audio, itertools.pairwise(ends), strict=True), start=1
        )
    )
    told = [{name: final[name] for name in _TOLD} for final in heard.finals]
    return compare(plan, Expected(expected), replace(heard, finals=told))
