"""A call that transcribers take over from each other, and what the broker says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.wire import Recorded

Until = Callable[..., Awaitable[None]]
Texts = Callable[[Sequence[Recorded]], list[str]]
SHORT = 0.3
"""A lease that expires within a test."""
SPEECH = ("One sen", "tence. An", "other.", "", " Three. Four. Fi", "ve", ". Six and")


async def speak(session: Any) -> None:
    await session.say(*SPEECH)
    await session.finalize()
    await session.say(" the end")
    await session.end()


async def holders(redis: Redis) -> list[bytes]:
    pending = await redis.xpending_range(keys.ASSIGN, keys.GROUP, "-", "+", 100)
    return [row["consumer"] for row in pending]


async def undisturbed(make_transcriber: Any, call: Any) -> list[Recorded]:
    transcriber = make_transcriber().start()
    session = await call()
    await speak(session)
    results: list[Recorded] = await session.results()
    await transcriber.kill()
    return results


async def until_no_lease(redis: Redis, until: Until) -> None:
    async def none() -> bool:
        return await holders(redis) == []

    await until(none)
