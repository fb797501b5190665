"""A round: all sessions stream at once, one fault strikes, every session is judged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from .compare import Expected, Verdict, compare, expectation
from .compressed import compressed
from .faults import Case
from .recordings import Recording
from .sessions import Heard, Plan, Speak, speak
from .system import System
from .usage import audited

CHUNK_SECONDS = 0.1
BLOB_SECONDS = 2.0
_SECOND = 32_000
_STAGGER_SECONDS = 0.9
_PATIENCE = 60.0
_OPTIONS: tuple[dict[str, str], ...] = (
    {"interim_results": "true"},
    {"endpointing": "200"},
    {},
    {"endpointing": "200"},
)
"""What sessions ask for, in turn: a short endpoint makes many finals."""
_MARGIN = 1.5
"""Seconds of speech before the earliest and after the latest moment for a fault to begin."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one round showed.

    Attributes:
        case: What struck.
        seed: Gives the same choices again.
        what: What was done.
        verdicts: One a session.
        hit: Those of sessions that depend on what was harmed.
        closed: Connections that closed.
        late: Longest that a client sent a message behind its time, in seconds.
    """

    case: Case
    seed: int
    what: str
    verdicts: tuple[Verdict, ...]
    hit: tuple[Verdict, ...]
    closed: int
    late: float


def make_plans(
    material: Sequence[Recording], *, in_containers: bool = False, in_blobs: bool = False
) -> list[Plan]:
    """Returns a plan a recording: 100 ms of audio every 100 ms, spread over the first second.

    Args:
        material: What is said.
        in_containers: Whether it is said as compressed streams instead of raw samples.
        in_blobs: Whether it comes as recorders send it: every 2 s what was said since the last.
    """
    seconds = BLOB_SECONDS if in_blobs else CHUNK_SECONDS
    return [
        Plan(
            name=recording.name,
            messages=_messages(recording.pcm, seconds, number if in_containers else None),
            pace=seconds,
            delay=_STAGGER_SECONDS * number / len(material),
            first=seconds if in_blobs else 0.0,
            options=_OPTIONS[number % len(_OPTIONS)],
            container=in_containers,
        )
        for number, recording in enumerate(material)
    ]


def _messages(pcm: bytes, seconds: float, container: int | None) -> tuple[bytes, ...]:
    size = round(seconds * _SECOND)
    starts = range(0, len(pcm), size)
    if container is not None:
        return compressed(pcm, container, len(starts))
    return tuple(pcm[at : at + size] for at in starts)


async def undisturbed(system: System, plans: Sequence[Plan]) -> dict[str, Expected]:
    """Streams all plans with nothing going wrong; returns what each is expected to hear.

    Raises:
        RuntimeError: Something went wrong all the same.
    """
    heards = [Heard() for _ in plans]
    await _speak_all(system, speak, plans, heards)
    expected = {plan.name: expectation(heard) for plan, heard in zip(plans, heards, strict=True)}
    for plan, heard in zip(plans, heards, strict=True):
        verdict = compare(plan, expected[plan.name], heard)
        if verdict.differences or not heard.finals:
            raise RuntimeError(f"{plan.name} failed undisturbed: {verdict.differences}")
    return expected


async def disturbed(
    system: System, case: Case, plans: Sequence[Plan], expected: Mapping[str, Expected], seed: int
) -> Outcome:
    """Streams all plans, injects the fault at a moment of speech, and judges each session."""
    rng = Random(seed)
    heards = [Heard() for _ in plans]
    system.record.note(f"{case.key}, seed {seed}")
    began = time.monotonic()
    speaking = asyncio.create_task(_speak_all(system, case.speak, plans, heards))
    what, hit = "nothing", frozenset[str]()
    try:
        if case.fault is not None:
            moment = _moment_of_speech(plans, expected, case.lasts, rng)
            await asyncio.sleep(began + moment - time.monotonic())
            live = frozenset(heard.sid for heard in heards if heard.sid)
            system.record.note(f"{case.name} at {moment:.2f} s")
            injection = await case.fault.inject(system, live, rng)
            what, hit = f"{injection.what} at {moment:.2f} s", injection.hit
            system.record.note(what)
        await speaking
    finally:
        speaking.cancel()
    verdicts = [
        compare(plan, expected[plan.name], heard) for plan, heard in zip(plans, heards, strict=True)
    ]
    await system.heal()
    verdicts = await audited(system, heards, verdicts)
    return Outcome(
        case=case,
        seed=seed,
        what=what,
        verdicts=tuple(verdicts),
        hit=tuple(v for v, heard in zip(verdicts, heards, strict=True) if heard.sid in hit),
        closed=sum(heard.closed for heard in heards),
        late=max(heard.late for heard in heards),
    )


async def _speak_all(
    system: System, client: Speak, plans: Sequence[Plan], heards: Sequence[Heard]
) -> None:
    async with asyncio.TaskGroup() as group:
        for plan, heard in zip(plans, heards, strict=True):
            group.create_task(client(system.stack.ws_url, plan, heard, _PATIENCE))


def _moment_of_speech(
    plans: Sequence[Plan], expected: Mapping[str, Expected], lasts: float, rng: Random
) -> float:
    """Returns seconds from the start of the round at which somebody is in the midst of speech."""
    latest = max(_MARGIN, plans[0].seconds - _MARGIN - lasts)
    spans = [
        (plan.delay, max(final["start"], _MARGIN), min(final["end"], latest))
        for plan in plans
        for final in expected[plan.name].finals
        if final["text"] and final["end"] >= _MARGIN and final["start"] <= latest
    ]
    delay, first, last = rng.choice(spans or [(0.0, _MARGIN, latest)])
    return delay + rng.uniform(first, last)
