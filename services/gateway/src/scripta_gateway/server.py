"""The gateway's server: uvicorn, with a drain before it closes anything.

uvicorn closes WebSockets before an application's lifespan ends, so the drain stands here.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from typing import Final

import uvicorn

from scripta_common.tracing import FLUSH_SECONDS, Tracing
from scripta_gateway.app import create_app
from scripta_gateway.hub import Hub
from scripta_gateway.settings import GatewaySettings

logger = logging.getLogger(__name__)

_CLOSE_SECONDS: Final = 1
"""What uvicorn gets at least for closing what a drain has not."""
_PING_SECONDS: Final = 20.0
_DEAD_PEER_MS: Final = 60_000
_OVERSIZE_FACTOR: Final = 4
_OVERSIZE_LEAST: Final = 16 * 1024 * 1024


class GatewayServer(uvicorn.Server):
    """uvicorn's server that sends its clients away before it stops.

    Args:
        settings: The gateway's settings.
        gateway_id: Its id, unique among all.
        tracing: Where its spans begin.
    """

    def __init__(self, settings: GatewaySettings, gateway_id: str, tracing: Tracing) -> None:
        logging.getLogger("uvicorn.error").addFilter(_RefusalFilter())
        app = create_app(settings, gateway_id, tracing)
        self._drain_seconds = settings.drain_seconds
        self._tracing = tracing
        self._hub: Hub = app.state.hub
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.app_host,
                port=settings.app_port,
                http="httptools",
                ws="websockets-sansio",
                log_config=None,
                access_log=False,
                server_header=False,
                # Larger than what is accepted, so that an oversized message gets an answer and
                # does not cost the connection; beyond this one is closed with 1009.
                ws_max_size=max(_OVERSIZE_LEAST, _OVERSIZE_FACTOR * settings.max_audio_size),
                # While a client is held back by back-pressure nobody reads its pongs. Pings keep
                # proxies awake; a dead peer is found by the kernel (see `_listen`).
                ws_ping_interval=_PING_SECONDS,
                ws_ping_timeout=None,
                ws_per_message_deflate=False,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens on a socket that drops peers which do not acknowledge pings."""
        await super().startup(sockets)
        for server in self.servers:
            for listener in server.sockets:
                _drop_dead_peers(listener)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drains, then stops: no new session, every client told, then the sockets."""
        logger.info("gateway draining")
        give_up_at = time.monotonic() + self._drain_seconds
        try:
            async with asyncio.timeout(self._drain_seconds):
                await self._hub.drain()
        except TimeoutError:
            logger.warning("drain incomplete")
        left = int(give_up_at - time.monotonic())
        self.config.timeout_graceful_shutdown = max(_CLOSE_SECONDS, left)
        await super().shutdown(sockets)
        # Here, because uvicorn ends the process by the signal that it got.
        await asyncio.to_thread(self._tracing.close, FLUSH_SECONDS)


class _RefusalFilter(logging.Filter):
    """Drops uvicorn's complaint about a refused handshake: it was answered, with an HTTP error."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether the record is worth a line."""
        return "without completing handshake" not in record.getMessage()


def _drop_dead_peers(listener: socket.socket) -> None:
    # Accepted connections inherit it: unacknowledged data (a ping at the latest) ends them.
    if hasattr(socket, "TCP_USER_TIMEOUT") and listener.family in (
        socket.AF_INET,
        socket.AF_INET6,
    ):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_MS)
