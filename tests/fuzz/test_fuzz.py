"""Damaged media costs the stream that it came in, and nobody else."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest

from fuzz.drive import Drive
from fuzz.mutations import mutated
from fuzz.seeds import seeds
from scripta_gateway.audio.processes import SHARED_PROCESSES

pytestmark = [pytest.mark.asgi, pytest.mark.slow]

SEED = 1
SECONDS = 50
LEAST = 300
NOTICED_SECONDS = 2.0


def for_a_while() -> Iterator[int]:
    give_up_at = time.monotonic() + SECONDS
    for number in itertools.count():
        if time.monotonic() > give_up_at:
            return
        yield number


def test_a_mutation_is_the_same_every_time() -> None:
    assert mutated(seeds(), SEED, 17) == mutated(seeds(), SEED, 17)
    assert mutated(seeds(), SEED, 17) != mutated(seeds(), SEED, 18)


async def test_neighbours_do_not_notice_a_minute_of_damaged_media() -> None:
    """Whatever a mutation does to its decoder, other streams sound the same and come in time."""
    found = await Drive(SEED, for_a_while()).run()
    assert found.outcomes.total() >= LEAST
    assert found.changed == 0
    assert sorted(found.latencies)[len(found.latencies) * 99 // 100] < NOTICED_SECONDS
    assert SHARED_PROCESSES.living == frozenset()
