"""A steady beat: something is done at even intervals, however long each time takes.

Where the broker is far away, an answer takes longer than the time between two heartbeats. The next
one does not wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress


async def keep_beat(
    once: Callable[[], Awaitable[object]],
    seconds: float,
    over: asyncio.Event,
    *,
    most: int,
) -> None:
    """Calls ``once`` again and again until ``over`` is set; what is under way then is cancelled.

    Args:
        once: What is done. An error that it raises ends the beat.
        seconds: Time between two calls.
        over: Set when no more calls are wanted.
        most: Calls that may be under way at once; while there are so many, beats are left out.
    """
    under_way: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as calls:
        while not over.is_set():
            if len(under_way) < most:
                call = calls.create_task(_call(once), name="beat")
                under_way.add(call)
                call.add_done_callback(under_way.discard)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await over.wait()
        for call in under_way:
            call.cancel()


async def _call(once: Callable[[], Awaitable[object]]) -> None:
    await once()
