"""Listens for TLS, within the bounds of every socket that waits for a request.

The event loop's own server would hold sockets that nobody counts until their handshakes are done.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, cast

from scripta_gateway.bounds import (
    FAREWELL_SECONDS,
    TLS_CLOSE_SECONDS,
    TLS_HANDSHAKES_A_SECOND,
    TLS_HANDSHAKES_BURST,
    TLS_SECONDS,
    Bound,
)
from scripta_gateway.telemetry import metrics
from scripta_gateway.transports.rate import Allowance
from scripta_gateway.transports.sockets import Sockets
from scripta_gateway.transports.tls import Certificates

logger = logging.getLogger(__name__)

_READ_AHEAD: Final = 64 * 1024
"""Bytes of a client that is not read from which are kept here; the kernel keeps more."""
_BACKLOG: Final = 2048
_RETRY_SECONDS: Final = 1.0
"""How long no socket is accepted after the process had no file left for one."""


class Speaker(Protocol):
    """The protocol that speaks on a socket once its handshake is done.

    Attributes:
        counted_as: What the socket is counted as until then.
    """

    counted_as: object


class TlsServer:
    """Accepts sockets until it is closed, and lets those speak whose handshake succeeds.

    Args:
        sockets: All sockets of the process.
        certificates: What the gateway shows.
        make: Makes the protocol that speaks on a socket.
    """

    def __init__(
        self, sockets: Sockets, certificates: Certificates, make: Callable[[], Speaker]
    ) -> None:
        self._sockets = sockets
        self._certificates = certificates
        self._make = make
        self._pace = Allowance(TLS_HANDSHAKES_A_SECOND, TLS_HANDSHAKES_BURST, time.monotonic())
        self._listeners: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, listeners: Sequence[socket.socket]) -> None:
        """Listens on bound sockets."""
        for listener in listeners:
            listener.listen(_BACKLOG)
            self._listeners.append(listener)
            self._begin(self._accept(listener))
        self._begin(self._certificates.watch())

    def close(self) -> None:
        """Accepts no more, and ends handshakes; whoever has spoken goes on."""
        for task in self._tasks:
            task.cancel()
        for listener in self._listeners:
            listener.close()

    def _begin(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work, name="tls")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._wait_turn()
                accepted, _ = await loop.sock_accept(listener)  # cancelled, none is lost
            except OSError as error:
                logger.warning("no socket accepted", extra={"error": str(error)})
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._pace.spend(1, time.monotonic())
            if self._sockets.admit(accepted):
                handshake = self._begin(self._secure(accepted))
                self._sockets.idle(accepted, _Evicted(handshake))
            else:
                accepted.close()

    async def _wait_turn(self) -> None:
        """Waits as long as sockets have come too fast; the kernel holds others until then."""
        if wait := self._pace.spend(0, time.monotonic()):
            metrics.BOUNDS_HIT[Bound.TLS_HANDSHAKES].inc()
            await asyncio.sleep(wait)

    async def _secure(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        protocol = self._make()
        protocol.counted_as = accepted
        try:
            # Cancelled when it makes room, or when the process ends: the socket is closed.
            transport, _ = await loop.connect_accepted_socket(
                lambda: cast("asyncio.Protocol", protocol),
                accepted,
                ssl=self._certificates.context,
                ssl_handshake_timeout=TLS_SECONDS,
                ssl_shutdown_timeout=TLS_CLOSE_SECONDS,
            )
        except OSError as error:  # of TLS, too
            # The loop's error for a handshake that takes too long.
            self._count_failure(error, late=isinstance(error, ConnectionAbortedError))
            accepted.close()
        except asyncio.CancelledError:
            accepted.close()
            raise
        else:
            metrics.TLS_HANDSHAKES["done"].inc()
            transport.set_read_buffer_limits(high=_READ_AHEAD)  # type: ignore[attr-defined]
        finally:
            self._sockets.discard(accepted)

    def _count_failure(self, error: OSError, *, late: bool) -> None:
        if late:
            metrics.BOUNDS_HIT[Bound.TLS_SECONDS].inc()
        metrics.TLS_HANDSHAKES["late" if late else "failed"].inc()
        reason = getattr(error, "reason", None) or type(error).__name__
        logger.debug("handshake of TLS failed", extra={"reason": reason})


class _Evicted:
    """A socket in its handshake, which ends if it has to make room for another."""

    def __init__(self, handshake: asyncio.Task[None]) -> None:
        self._handshake = handshake

    def on_evicted(self) -> None:
        """Makes room."""
        self._handshake.cancel()


def is_secure(transport: asyncio.Transport) -> bool:
    """Returns true if a socket speaks TLS."""
    return transport.get_extra_info("sslcontext") is not None


def close_soon(transport: asyncio.Transport) -> None:
    """Closes a socket that has nothing more to say.

    Its client would have to say goodbye in TLS, too; it gets a moment for that.
    """
    transport.close()
    if is_secure(transport):
        asyncio.get_running_loop().call_later(FAREWELL_SECONDS, transport.abort)
