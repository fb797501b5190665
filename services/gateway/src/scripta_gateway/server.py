"""The gateway's server: uvicorn, with a drain before it closes anything.

uvicorn closes WebSockets before an application's lifespan ends, so the drain stands here.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from typing import Final

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE

from scripta_common.tracing import FLUSH_SECONDS, Tracing
from scripta_gateway.access.browsers import BrowserRules
from scripta_gateway.access.entrance import Entrance
from scripta_gateway.access.proxies import TrustedProxies
from scripta_gateway.app import VOSK_PATH, create_app
from scripta_gateway.bounds import CALLBACK_DRAIN_SECONDS, KEEP_ALIVE_SECONDS
from scripta_gateway.outbound.posting import Poster
from scripta_gateway.sessions.hub import Hub
from scripta_gateway.settings import GatewaySettings
from scripta_gateway.transports.edge import Edge
from scripta_gateway.transports.http import HttpProtocol, http_class
from scripta_gateway.transports.listeners import CannotListen, listen
from scripta_gateway.transports.ports import OneWebSocket, Ports
from scripta_gateway.transports.securing import TlsServer
from scripta_gateway.transports.tcp import TcpServer
from scripta_gateway.transports.tls import BadCertificate, Certificates, TlsFiles

logger = logging.getLogger(__name__)

_CLOSE_SECONDS: Final = 1
"""What uvicorn gets at least for closing what a drain has not."""


class GatewayServer(uvicorn.Server):
    """uvicorn's server that sends its clients away before it stops.

    Args:
        settings: The gateway's settings.
        gateway_id: Its id, unique among all.
        tracing: Where its spans begin.
    """

    def __init__(self, settings: GatewaySettings, gateway_id: str, tracing: Tracing) -> None:
        app = create_app(settings, gateway_id, tracing)
        self._drain_seconds = settings.drain_seconds
        self._tracing = tracing
        self._hub: Hub = app.state.hub
        self._ports = _other_ports(settings, app)
        self._poster: Poster = app.state.poster
        edge = Edge.of(settings, app.state.uploads)
        certificates = _certificates(settings)
        self._tls = TlsServer(edge.sockets, certificates, self._protocol) if certificates else None
        # Those who run it ask there without a certificate at hand.
        self._plain_ports = {settings.admin_port}
        self._streams = {
            port: TcpServer(edge.sockets, serve) for port, serve in app.state.streams.items()
        }
        super().__init__(
            uvicorn.Config(
                Entrance(
                    Ports(app, self._ports),
                    TrustedProxies.parse(settings.trusted_proxies),
                    BrowserRules.parse(settings.allowed_origins, settings.allowed_hosts),
                    app.state.guarded,
                ),
                host=settings.app_host,
                port=settings.app_port,
                http=http_class(edge),
                ws="none",  # what is accepted by HTTP becomes a WebSocket there, too
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                log_config=None,
                access_log=False,
                proxy_headers=False,  # uvicorn would believe whoever is on this machine
                server_header=False,
            )
        )

    @property
    def served_well(self) -> bool:
        """Whether it has started, and has stopped because it was told to."""
        return self.started and not self._hub.failed

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens; ends the process, with words for its operator, if it can not."""
        try:
            plain = sockets or self._listen(secured=False)
            secured = self._listen(secured=True)
            streams = {port: listen(self.config.host, port) for port in self._streams}
        except CannotListen as error:
            logger.critical("cannot listen", extra={"error": str(error)})
            sys.exit(STARTUP_FAILURE)
        await super().startup(plain)
        if self._tls is not None:
            self._tls.start(secured)
        for port, listeners in streams.items():
            await self._streams[port].start(listeners)

    def _listen(self, *, secured: bool) -> list[socket.socket]:
        """Returns the bound sockets of the ports with or without TLS."""
        ports = (self.config.port, *self._ports)
        tls = {port for port in ports if self._tls is not None and port not in self._plain_ports}
        return [
            listener
            for port in ports
            if (port in tls) is secured
            for listener in listen(self.config.host, port)
        ]

    def _protocol(self) -> HttpProtocol:
        """Returns what speaks on a socket with TLS, as uvicorn makes it for those without."""
        protocol: HttpProtocol = self.config.http_protocol_class(  # type: ignore[call-arg, assignment]
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        return protocol

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drains, then stops: no new session, every client told, then the sockets."""
        logger.info("gateway draining")
        for server in self._streams.values():
            server.close()
        give_up_at = time.monotonic() + self._drain_seconds
        try:
            async with asyncio.timeout(self._drain_seconds):
                await self._hub.drain()
        except TimeoutError:
            logger.warning("drain incomplete")
        left = give_up_at - time.monotonic()
        await self._poster.drain(min(CALLBACK_DRAIN_SECONDS, left))
        left = int(give_up_at - time.monotonic())
        self.config.timeout_graceful_shutdown = max(_CLOSE_SECONDS, left)
        if self._tls is not None:
            self._tls.close()
        await super().shutdown(sockets)
        await asyncio.to_thread(self._tracing.close, FLUSH_SECONDS)
        # uvicorn would end the process by the signal that it got, and not with exit code 0.
        self._captured_signals.clear()


def _other_ports(settings: GatewaySettings, app: FastAPI) -> dict[int, ASGIApp]:
    """Returns what is served by HTTP on further ports."""
    ports: dict[int, ASGIApp] = {}
    if settings.vosk_port:
        ports[settings.vosk_port] = OneWebSocket(app, VOSK_PATH)
    if settings.admin_port:
        ports[settings.admin_port] = app.state.admin
    return ports


def _certificates(settings: GatewaySettings) -> Certificates | None:
    """Returns the certificate to show; ends the process, with words for its operator, if bad."""
    files = TlsFiles.of(settings)
    try:
        return None if files is None else Certificates(files)
    except BadCertificate as error:
        logger.critical("no certificate", extra={"error": str(error)})
        sys.exit(STARTUP_FAILURE)
