"""Clients that write bytes of their own making, and the count of bounds that they hit."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from raw_client import RawClient

from scripta_gateway.bounds import Bound
from scripta_gateway.telemetry import metrics


@pytest_asyncio.fixture
async def dial() -> AsyncIterator[Callable[..., Any]]:
    """Connects raw clients to a gateway."""
    async with AsyncExitStack() as stack:

        async def connect(server: Any, *, receive_buffer: int | None = None) -> RawClient:
            host, _, port = server.address.rpartition(":")
            plain = socket.socket()
            if receive_buffer:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            plain.setblocking(False)
            await asyncio.get_running_loop().sock_connect(plain, (host, int(port)))
            client = RawClient(*await asyncio.open_connection(sock=plain, limit=2**20))
            stack.callback(client.abort)
            return client

        yield connect


@pytest.fixture
def hits() -> Callable[[Bound], float]:
    """Returns how often a bound has been hit since the test began."""
    before = {bound: metrics.BOUNDS_HIT[bound].value for bound in Bound}
    return lambda bound: metrics.BOUNDS_HIT[bound].value - before[bound]
