"""A steady beat: its pace does not depend on how long a call takes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from scripta_transcriber.heartbeat import keep_beat

pytestmark = pytest.mark.unit

Until = Callable[..., Awaitable[None]]


class Calls:
    """Calls that take until they are let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.under_way = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def once(self) -> None:
        self.begun += 1
        self.under_way += 1
        try:
            await self.go.wait()
            if self.error:
                raise self.error
        finally:
            self.under_way -= 1


async def test_beats_do_not_wait_for_answers_up_to_a_bound(until: Until) -> None:
    calls, over = Calls(), asyncio.Event()
    beating = asyncio.create_task(keep_beat(calls.once, 0.005, over, most=3))
    await until(lambda: calls.under_way == 3)
    await asyncio.sleep(0.05)  # the time of ten beats
    assert calls.begun == 3
    calls.go.set()
    await until(lambda: calls.begun > 5)
    over.set()
    await asyncio.wait_for(beating, 5)


async def test_what_is_under_way_at_the_end_is_cancelled(until: Until) -> None:
    """Guards a drain against waiting for answers that nobody needs any more."""
    calls, over = Calls(), asyncio.Event()
    beating = asyncio.create_task(keep_beat(calls.once, 0.005, over, most=2))
    await until(lambda: calls.under_way == 2)
    over.set()
    await asyncio.wait_for(beating, 5)
    assert calls.under_way == 0


async def test_error_ends_the_beat(until: Until) -> None:
    calls, over = Calls(), asyncio.Event()
    calls.error = ValueError("unexpected")
    beating = asyncio.create_task(keep_beat(calls.once, 0.005, over, most=2))
    calls.go.set()
    with pytest.raises(ExceptionGroup):
        await asyncio.wait_for(beating, 5)
