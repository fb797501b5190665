"""How long answers to wrong keys take, by a clock of the test's own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scripta_gateway.access.throttle import Throttle
from scripta_gateway.bounds import ALL_BAD_ATTEMPTS_A_SECOND, BAD_ATTEMPTS_BURST

pytestmark = pytest.mark.unit

ALL = int(ALL_BAD_ATTEMPTS_A_SECOND)
LONGEST = 2.0


class Attempts:
    """Wrong attempts, and the seconds that the answer to each has waited."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self._waits: list[float] = []
        self._throttle = Throttle(lambda: self.now)

        async def sleep(seconds: float) -> None:
            self._waits.append(seconds)

        monkeypatch.setattr(asyncio, "sleep", sleep)

    async def wait_of(self, address: str) -> float:
        self._waits.clear()
        await self._throttle.fail(address)
        return sum(self._waits)


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> Attempts:
    return Attempts(monkeypatch)


async def test_first_attempts_of_an_address_do_not_wait(attempts: Attempts) -> None:
    waits = [await attempts.wait_of("10.0.0.1") for _ in range(int(BAD_ATTEMPTS_BURST) + 2)]
    assert waits[:-2] == [0.0] * int(BAD_ATTEMPTS_BURST)
    assert waits[-2:] == [1.0, LONGEST]
    assert await attempts.wait_of("10.0.0.2") == 0


async def test_attempts_from_many_addresses_wait_for_each_other(attempts: Attempts) -> None:
    """Guards those who speak against a thousand wrong keys a second, each from another address."""
    waits = [await attempts.wait_of(f"10.0.{number >> 8}.{number & 255}") for number in range(1000)]
    assert not any(waits[:ALL])
    assert waits[ALL + ALL // 2 - 1] == pytest.approx(0.5)
    assert max(waits) == pytest.approx(LONGEST, abs=0.05)


async def test_nobody_waits_for_attempts_of_long_ago(attempts: Attempts) -> None:
    for number in range(10_000):
        await attempts.wait_of(f"10.1.{number >> 8}.{number & 255}")
    attempts.now = LONGEST + 1
    waits: list[Any] = [await attempts.wait_of(f"10.2.0.{number}") for number in range(50)]
    assert not any(waits)
