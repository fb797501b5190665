"""Recordings that hold all slots keep no live session out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

SLOTS = 2
WORDS = b"To be heard."


async def says(socket: ClientConnection, *, final: bool) -> None:
    """Sends words, ended or not; waits until they are in a final, or acknowledged."""
    await socket.send(WORDS)
    if final:
        await socket.send(json.dumps({"type": "finalize"}))
    while True:
        event = json.loads(await socket.recv())
        if event["status"] == ("transcript" if final else "received"):
            return


async def test_live_sessions_are_served_beside_uploads_that_hold_all_slots(until: Any) -> None:
    """Guards callers: ten long recordings had them refused with 503 for minutes."""
    env = {"SLOTS": str(SLOTS), "LIVE_WAIT_SECONDS": "0", "MAX_WAITING": "0"}
    async with (
        Stack(engine="mock", env=env) as stack,
        AsyncExitStack() as sockets,
    ):
        url = f"{stack.ws_url}?events=true"

        async def opened(query: str = "") -> ClientConnection:
            return await sockets.enter_async_context(connect(url + query, proxy=None))

        async def status(query: str = "") -> int:
            try:
                async with connect(url + query, proxy=None) as socket:
                    assert socket.response is not None
                    return socket.response.status_code
            except InvalidStatus as refused:
                return refused.response.status_code

        async def is_open() -> bool:
            return await status() == 101

        async def all_of(query: str) -> Sequence[ClientConnection]:
            return [await opened(query) for _ in range(SLOTS)]

        for upload in await all_of("&upload=true"):
            await says(upload, final=False)
        assert await status("&upload=true") == 503
        live = await all_of("")
        for socket in live:
            await says(socket, final=True)
        assert await status() == 503
        await live[0].close()
        await until(is_open)
