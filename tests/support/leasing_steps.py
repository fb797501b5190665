"""What transcribers do with leases, in tests of the session log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.sessionlog import (
    Claim,
    TranscriberLog,
)
from scripta_common.wire import Final, Reason

SID = "a-session"
Lease = Callable[..., Awaitable[Claim]]
MakeTranscriber = Callable[..., TranscriberLog]
Until = Callable[..., Awaitable[None]]


def final(index: int) -> Final:
    return Final(index, 0.0, 0.5, "words", Reason.ENDPOINT)


async def holders(redis: Redis) -> dict[bytes, bytes]:
    """Who holds which entry of the assignment stream."""
    pending = await redis.xpending_range(keys.ASSIGN, keys.GROUP, "-", "+", 5000)
    return {row["message_id"]: row["consumer"] for row in pending}


async def in_line(redis: Redis) -> list[bytes]:
    """Sessions that are on the assignment stream and not leased."""
    held = await holders(redis)
    rows = await redis.xrange(keys.ASSIGN)
    return [fields[b"sid"] for entry_id, fields in rows if entry_id not in held]
