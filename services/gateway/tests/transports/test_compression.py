"""Compressed WebSockets, which the vendors' clients offer, and which the gateway does not take."""

from __future__ import annotations

from typing import Any

import pytest
from raw_client import RawClient, frame

pytestmark = pytest.mark.asgi


async def test_clients_that_can_compress_are_told_not_to(server: Any, mock_worker: Any) -> None:
    """Guards memory against messages that are small on the wire and large behind it."""
    async with server.connect(compression="deflate") as client:
        assert "permessage-deflate" in client.request.headers["sec-websocket-extensions"]
        assert "sec-websocket-extensions" not in client.response.headers
        await client.send(bytes(3200))
        assert '"received"' in await client.recv()


async def test_message_that_is_compressed_all_the_same_ends_its_connection(
    server: Any, dial: Any
) -> None:
    client: RawClient = await dial(server)
    await client.shake()
    first, *rest = frame(2, bytes(16))
    await client.send(bytes([first | 0x40, *rest]))
    assert await client.closed() == (1002, "Reserved bits have to be 0; no extension was agreed on")
