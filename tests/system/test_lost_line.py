"""The line is lost, and only the line: sessions that were served go on all the same.

That is a Cluster whose shard with the line failed over, or a replica that was a moment behind.
"""

from __future__ import annotations

import asyncio
import json

import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect

from scripta_common import keys
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]


async def next_size(socket: ClientConnection) -> int:
    async with asyncio.timeout(30):
        async for message in socket:
            frame = json.loads(message)
            if frame["status"] == "transcript":
                return int(frame["text"].rpartition("size: ")[2].split()[0])
    raise AssertionError("closed")


async def test_sessions_go_on_after_their_place_in_line_is_lost() -> None:
    """Guards against sessions that nobody looks for because nobody knows of them."""
    async with Stack(transcribers=1, engine="mock", restart=False) as stack:
        redis = Redis.from_url(stack.redis_url)
        async with connect(stack.ws_url) as served, connect(stack.ws_url) as another:
            for socket in (served, another):
                await socket.send(bytes(11))
                assert await next_size(socket) == 11
            await redis.delete(keys.ASSIGN)
            for socket in (served, another):
                await socket.send(bytes(22))
            for socket in (served, another):
                assert await next_size(socket) == 22
                await socket.send(bytes(33))
                assert await next_size(socket) == 33
        await redis.aclose()
