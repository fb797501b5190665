"""Recordings that vendors' clients post, and one whose transcriber is killed half-way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from native import transcribe
from recordings import beckett, shipped_path, text_of
from redis.asyncio import Redis
from vendors import Found, attempt, run

from scripta_common import keys
from scripta_local.stack import Stack

Until = Callable[..., Awaitable[None]]

WAV = shipped_path("beckett.wav")


async def posted(asked: Mapping[str, tuple[str, dict[str, Any]]]) -> Found:
    """Returns what clients hear that post the recording at the same time.

    Args:
        asked: Client and options of each, by a name of its own. The name ``native`` is added, with
            the words that the native dialect gives.
    """
    async with Stack() as stack:
        heard = await asyncio.gather(
            *(
                attempt(run(client, "file", stack.url, WAV, strict=True, **options))
                for client, options in asked.values()
            )
        )
        native = await transcribe(stack.ws_url, beckett())
    return {**dict(zip(asked, heard, strict=True)), "native": text_of(native.finals)}


async def disturbed(
    stack: Stack, until: Until, before: bytes, after: bytes
) -> AsyncIterator[bytes]:
    """Yields a body; between its halves the one transcriber, which has the session, is killed."""
    redis = Redis.from_url(stack.redis_url, protocol=3, legacy_responses=False)

    async def owned() -> set[bytes]:
        states = [key async for key in redis.scan_iter(match=keys.state("*").replace("{*}", "*"))]
        return {state for state in states if await redis.hget(state, "owner")}

    async def begun() -> bool:
        return bool(await owned() - others)

    others = await owned()
    yield before
    await until(begun)
    await redis.aclose()
    await stack.add_transcriber()
    await stack.kill_transcriber(0)
    yield after
