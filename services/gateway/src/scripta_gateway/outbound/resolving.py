"""From the name of a host to its addresses, without holding up those who resolve other names."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Final

from scripta_gateway.bounds import RESOLVE_SECONDS
from scripta_gateway.outbound.targets import Address

_AT_ONCE: Final = 2
"""The event loop has four threads for names, and the broker's name needs one."""

Resolve = Callable[[str, int], Awaitable[list[Address]]]
"""Returns the addresses of a host and port; raises ``OSError`` if there are none."""


class Resolver:
    """Resolves names, few at a time."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[list[Address]]] = set()

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Returns the addresses of a host; as ``Resolve``.

        Cancelled or too late, the thread goes on to its end and keeps its turn until then.
        """
        task = asyncio.create_task(self._look_up(host, port), name="resolve")
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                return await asyncio.shield(task)
        except TimeoutError:
            raise OSError("the name was not resolved in time") from None

    async def _look_up(self, host: str, port: int) -> list[Address]:
        async with self._turns:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [ip_address(str(address[0]).partition("%")[0]) for *_, address in found]

    def _forget(self, task: asyncio.Task[list[Address]]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may have left
