"""Slots by default: what the threads sustain on this machine."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from scripta_transcriber import sustained
from scripta_transcriber.engines.base import Draft, EngineError, Segment, Transcript
from scripta_transcriber.engines.mock import MockEngine
from scripta_transcriber.engines.moonshine import MoonshineEngine
from scripta_transcriber.scheduler import Scheduler
from scripta_transcriber.sustained import (
    LEAST,
    MEASURE_SECONDS,
    MOST,
    cost_of,
    slots_for,
    slots_per_thread,
)

pytestmark = pytest.mark.unit

MOONSHINE = MoonshineEngine.capabilities


class Slow:
    """An engine whose finals take so many seconds of processor time."""

    name = "slow"
    capabilities = replace(MOONSHINE, speech_cost=0.05, slots_per_thread=12)

    def __init__(self, final: float) -> None:
        self.finals = 0
        self.drafts: list[float] = []
        self._final = final

    def load(self) -> None: ...

    def transcribe(self, segment: Segment) -> Transcript:
        self.finals += 1
        until = time.thread_time() + self._final
        while time.thread_time() < until:
            pass
        return Transcript("")

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        self.drafts.append(segment.seconds)
        return Draft("", memo)


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler(2)
    yield scheduler
    scheduler.close()


@pytest.mark.parametrize(
    ("times", "slots"), [(1, 12), (2, 6), (0.75, 16), (1.1, 10), (100, LEAST), (0.01, MOST)]
)
def test_slots_are_fewer_the_slower_the_core_within_bounds(times: float, slots: int) -> None:
    """Guards: 12 a thread on a core that can follow five."""
    assert MOONSHINE.speech_cost is not None
    assert slots_for(MOONSHINE, times * MOONSHINE.speech_cost) == slots


@pytest.mark.parametrize(
    ("clock", "processor", "cost"), [(0.1, 0.1, 0.1), (0.2, 0.1, 0.2), (0.9, 0.1, 0.2)]
)
def test_waits_for_neighbours_count_no_more_than_those_for_a_quota(
    clock: float, processor: float, cost: float
) -> None:
    """Guards: two slots for the life of a process that started while the machine was busy."""
    assert cost_of(clock, processor) == pytest.approx(cost)


async def test_slow_engine_gets_few_slots_and_is_heard_once(scheduler: Scheduler) -> None:
    """Guards: a core so slow that one repetition takes longer than the measurement shall."""
    slow = Slow(MEASURE_SECONDS)
    assert await slots_per_thread([slow], scheduler, 2, 0.5) == LEAST
    assert slow.finals == 2  # once a thread
    assert sorted(slow.drafts) == [at / 2 for at in range(1, 8) for _ in range(2)]


async def test_slots_are_those_of_the_slowest_engine(scheduler: Scheduler) -> None:
    """Guards: sessions that all choose the slower model."""
    mock = MockEngine()
    assert await slots_per_thread([mock], scheduler, 1, 0.5) == mock.capabilities.slots_per_thread
    # 0.3 s for four seconds of speech are half as much again as 12 slots are for.
    assert LEAST < await slots_per_thread([mock, Slow(0.3)], scheduler, 1, 0.5) <= 8


async def test_without_the_speech_the_engine_keeps_its_number(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a model from a folder that does not start without the default one."""

    def missing() -> bytes:
        raise EngineError("not installed")

    monkeypatch.setattr(sustained, "_speech", missing)
    assert await slots_per_thread([Slow(0.0)], scheduler, 1, 0.5) == 12


async def test_this_machine_is_measured_in_time(
    engine: MoonshineEngine, scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    """Guards: a start that measures for ever, or finds a number that is none."""
    with caplog.at_level(logging.INFO):
        async with asyncio.timeout(20 * MEASURE_SECONDS):
            slots = await slots_per_thread([engine], scheduler, 2, 0.5)
    assert LEAST <= slots <= MOST
    (told,) = [one for one in caplog.records if one.message == "slots measured"]
    assert told.__dict__["slots_per_thread"] == slots
    assert told.__dict__["speech_ms"] > 0
