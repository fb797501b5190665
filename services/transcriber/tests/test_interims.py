"""Interims: whose come first when there is more to hear than time."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from scripta_common.sessionlog import SessionOptions
from scripta_common.wire import SAMPLE_RATE, Interim, Reason
from scripta_transcriber.engines.base import Capabilities, Draft, Segment
from scripta_transcriber.interims import _HEAD_START, Interims
from scripta_transcriber.scheduler import Priority, Scheduler

pytestmark = pytest.mark.unit

HALF_A_SECOND = bytes(SAMPLE_RATE)


class Log:
    """Notes what is rung, by the first sample of its segment."""

    def __init__(self) -> None:
        self.rung: list[float] = []

    async def ring_interim(self, claim: Any, interim: Interim, origin: Any) -> bool:
        self.rung.append(interim.start)
        return True


class Engine:
    """Hears whatever it is given."""

    capabilities = Capabilities(languages=frozenset())

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        return Draft("words")


def segment(start: int, halves: int) -> Segment:
    return Segment(start * SAMPLE_RATE, HALF_A_SECOND * halves, Reason.LENGTH)


@pytest.mark.parametrize(
    ("longer", "order"), [(0.0, [20.0, 0.0, 10.0]), (_HEAD_START + 5, [0.0, 20.0, 10.0])]
)
async def test_first_words_come_before_those_that_are_renewed_but_not_for_ever(
    until: Any, longer: float, order: list[float]
) -> None:
    log, scheduler = Log(), Scheduler(1)
    sessions = [
        Interims(
            cast(Any, SimpleNamespace(sid="s", options=SessionOptions(interim_results=True))),
            cast(Any, log),
            cast(Any, Engine()),
            scheduler,
        )
        for _ in range(3)
    ]
    for number in (0, 1):
        sessions[number].offer(segment(10 * number, 1), 0.5)
        await until(lambda number=number: len(log.rung) == number + 1)
    first = sessions[0]
    await until(lambda: first._waiting_since is not None)
    assert first._waiting_since is not None
    first._waiting_since -= longer
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        assert let_go.wait(10)

    holding = asyncio.create_task(scheduler.run(Priority.FINAL, hold))
    await asyncio.to_thread(held.wait, 10)
    for number in (1, 0, 2):  # the third has heard nothing yet, the first waits longest otherwise
        sessions[number].offer(segment(10 * number, 2 if number < 2 else 1), 0.5)
        await asyncio.sleep(0)
    let_go.set()
    await holding
    await until(lambda: len(log.rung) == 5)
    assert log.rung[2:] == order
    scheduler.close()
