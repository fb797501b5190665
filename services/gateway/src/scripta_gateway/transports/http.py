"""HTTP as uvicorn speaks it, within bounds: bytes and time of a request, its answer, its socket.

Always holds: a request is read in small pieces and refused at the first that is too much; a
second one is read only while the first is answered, and no third; nothing waits without a
deadline. Whoever is refused hears why, in JSON, and the socket is closed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, cast
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from scripta_gateway import metrics
from scripta_gateway.bounds import (
    ANSWER_SECONDS,
    HEAD_BYTES,
    HEADER_LINE_BYTES,
    HEADER_LINES,
    REQUEST_BODY_BYTES,
    REQUEST_LINE_BYTES,
    REQUEST_SECONDS,
    REQUESTS_A_SECOND,
    REQUESTS_BURST,
    Bound,
)
from scripta_gateway.transports.edge import Edge
from scripta_gateway.transports.farewell import Farewell
from scripta_gateway.transports.rate import Allowance
from scripta_gateway.transports.upgrade import Answer, check_upgrade, subprotocols
from scripta_gateway.transports.websocket import WebSocketProtocol

logger = logging.getLogger(__name__)

_PIECE: Final = 2048
"""Bytes that are parsed at once; so many of a head or a body may be beyond a bound."""
_SHUTDOWN_SECONDS: Final = 0.8
"""For answers that are under way when the process ends; uvicorn cancels them after a second."""
_BAD: Final = Answer(400, "This is not an HTTP request")
_LATE: Final = Answer(408, "The request took too long to arrive")
_FULL: Final = Answer(503, "Too many connections; try again later", [(b"retry-after", b"5")])
_LONG_HEAD: Final = Answer(431, f"The head of a request has at most {HEAD_BYTES} bytes")
_LONG_BODY: Final = Answer(413, "Requests here have no body")


class _Refused(Exception):
    """A request is refused; what the parser calls raises it, and the parser ends with it."""


class HttpProtocol(HttpToolsProtocol):
    """One socket, until it becomes a WebSocket.

    Args:
        edge: What all sockets share.
        config: uvicorn's configuration.
        server_state: What uvicorn's protocols share.
        app_state: State of the application.
    """

    def __init__(
        self,
        edge: Edge,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._edge = edge
        self._rest = memoryview(b"")
        self._taken = 0  # bytes of this request's head, or then of its body
        self._in_body = False
        self._began = False
        self._refusal: tuple[Bound | None, Answer] | None = None
        self._over = False
        self._allowance = Allowance(REQUESTS_A_SECOND, REQUESTS_BURST, self.loop.time())
        self._begun = 0  # requests since the allowance was last asked
        self._answering: RequestResponseCycle | None = None
        self._held_back: asyncio.TimerHandle | None = None
        self._request_timer: asyncio.TimerHandle | None = None
        self._answer_timer: asyncio.TimerHandle | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        super().connection_made(transport)
        if not self._edge.sockets.admit(transport):
            self._over = True
            transport.write(_FULL.encode())
            transport.close()
            return
        # What the kernel does not take at once counts as unread, and gets its deadline.
        transport.set_write_buffer_limits(high=0)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        """Reads what has arrived."""
        if self._over:
            return
        self._unset_keepalive_if_required()
        self._rest = memoryview(bytes(self._rest) + data if self._rest else data)
        if not self._busy:
            self._await_request()
        self._read()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Lets an answer that is under way be finished."""
        if not self._busy:
            return None
        self.cycle.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the socket."""
        self._stop_waiting()
        self._stop_answer_timer()
        if self._held_back is not None:
            self._held_back.cancel()
        self._edge.sockets.discard(self.transport)
        self._over = True
        if self._answering is not None:
            self._answering.disconnected = True
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Gives the client some time to read its answer."""
        super().pause_writing()
        if self._answer_timer is None:
            self._answer_timer = self.loop.call_later(ANSWER_SECONDS, self._on_unread)

    def resume_writing(self) -> None:
        """Writes on."""
        super().resume_writing()
        self._stop_answer_timer()

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Begins a request."""
        super().on_message_begin()
        self._began = True
        self._begun += 1

    def on_url(self, url: bytes) -> None:
        """Takes a part of the request line."""
        super().on_url(url)
        if len(self.url) > REQUEST_LINE_BYTES:
            self._raise(414, f"The request line has at most {REQUEST_LINE_BYTES} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header, or a trailer, which nobody wants."""
        if self._in_body:
            return
        super().on_header(name, value)
        if len(self.headers) > HEADER_LINES:
            self._raise(431, f"A request has at most {HEADER_LINES} header lines")
        if len(name) + len(value) > HEADER_LINE_BYTES:
            self._raise(431, f"A header line has at most {HEADER_LINE_BYTES} bytes")

    def on_headers_complete(self) -> None:
        """Begins to answer, or to become a WebSocket."""
        self._in_body = True
        self._taken = 0
        lengths = [value for name, value in self.headers if name == b"content-length"]
        if any(int(length) > REQUEST_BODY_BYTES for length in lengths):
            self._refusal = Bound.BODY_BYTES, _LONG_BODY
            raise _Refused
        super().on_headers_complete()
        if self.parser.should_upgrade() and not self._should_upgrade():
            self.cycle.keep_alive = False  # the parser is not to be used any further

    def on_message_complete(self) -> None:
        """Takes the end of the request."""
        self._in_body = self._began = False
        self._taken = 0
        self._stop_waiting()
        if self.cycle is not None:  # there is none for a WebSocket's handshake
            super().on_message_complete()

    # What uvicorn calls.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle  # the others of a pipeline are behind it
        super()._start_asgi_task(cycle, app)

    def _should_upgrade_to_ws(self) -> bool:
        return True

    def on_response_complete(self) -> None:
        """Waits for the next request, or reads on in one that has begun."""
        super().on_response_complete()
        if self._over or self.transport.is_closing():
            return
        if self._rest:
            self.loop.call_soon(self._read)
        if self._busy:
            return
        if self._began or self._rest:
            self._unset_keepalive_if_required()
            self._await_request()
        else:
            self._edge.sockets.idle(self.transport, self)

    def shutdown(self) -> None:
        """Closes it when its answers are given, or after a moment if nobody reads them."""
        super().shutdown()
        self.loop.call_later(_SHUTDOWN_SECONDS, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        """Closes a socket that has no further request."""
        self.transport.close()

    def on_evicted(self) -> None:
        """Makes room for another socket."""
        self._over = True
        self._stop_waiting()
        if self._began:
            self.transport.write(_FULL.encode())
        self.transport.close()

    # Reading.

    @property
    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _read(self) -> None:
        while self._rest and not self.pipeline and not self._over and self._held_back is None:
            piece, self._rest = bytes(self._rest[:_PIECE]), self._rest[_PIECE:]
            self._parse(piece)
            if self._begun:
                self._count_requests()
        if self._rest and not self._over:
            self.flow.pause_reading()

    def _count_requests(self) -> None:
        begun, self._begun = self._begun, 0
        wait = self._allowance.spend(begun, self.loop.time())
        if wait and not self._over:
            metrics.BOUNDS_HIT[Bound.REQUESTS].inc()
            self._held_back = self.loop.call_later(wait, self._read_on)

    def _read_on(self) -> None:
        self._held_back = None
        if not self._over and not self._busy and (self._rest or self._began):
            self._await_request()
        self._read()
        if not self._rest and not self._over and not self.pipeline:
            self.flow.resume_reading()

    def _parse(self, piece: bytes) -> None:
        self._taken += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._upgrade(piece[upgrade.args[0] :] + bytes(self._rest))
            else:
                self._over = not self._busy
                self._rest = memoryview(b"")
            return
        except httptools.HttpParserError:
            self._refuse(*(self._refusal or (None, _BAD)))
            return
        if self._in_body:
            if self._taken > REQUEST_BODY_BYTES:
                self._refuse(Bound.BODY_BYTES, _LONG_BODY)
        elif self._taken > HEAD_BYTES:
            self._refuse(Bound.HEAD_BYTES, _LONG_HEAD)

    def _upgrade(self, rest: bytes) -> None:
        if self._busy:
            self._refuse(None, Answer(400, "A WebSocket is opened on a connection of its own"))
            return
        outcome = check_upgrade(self.scope["method"], self.scope["http_version"], self.headers)
        if isinstance(outcome, Answer):
            self._refuse(None, outcome)
            return
        try:
            scope = self._websocket_scope()
        except (httptools.HttpParserError, UnicodeDecodeError):
            self._refuse(None, _BAD)
            return
        self._over = True
        self._stop_waiting()
        self._stop_answer_timer()
        self.connections.discard(self)
        protocol = WebSocketProtocol(
            self._edge,
            self.app,
            scope,
            outcome,
            self.transport,
            self.server_state,
        )
        protocol.begin(rest)

    def _websocket_scope(self) -> dict[str, Any]:
        url = httptools.parse_url(self.url)
        path = url.path or b"/"
        return {
            "type": "websocket",
            "asgi": {"version": self.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "server": self.server,
            "client": self.client,
            "root_path": self.root_path,
            "path": self.root_path + unquote(path.decode("ascii")),
            "raw_path": self.root_path.encode("ascii") + path,
            "query_string": url.query or b"",
            "headers": self.headers,
            "subprotocols": subprotocols(self.headers),
            "state": self.app_state.copy(),
            "extensions": {"websocket.http.response": {}},
        }

    # Refusing and waiting.

    def _raise(self, status: int, error: str) -> None:
        self._refusal = Bound.HEAD_BYTES, Answer(status, error)
        raise _Refused

    def _refuse(self, bound: Bound | None, answer: Answer) -> None:
        if bound is not None:
            metrics.BOUNDS_HIT[bound].inc()
        logger.debug("request refused", extra={"status": answer.status, "error": answer.error})
        own = self._in_body and self.cycle is not None and not self.cycle.response_started
        if self._busy and (self.pipeline or not own):
            # Those before it are answered first; then the socket is closed without a word.
            self.cycle.keep_alive = False
            self._rest = memoryview(b"")
            self.flow.pause_reading()
            self._stop_waiting()
            return
        self._say(answer)

    def _say(self, answer: Answer) -> None:
        self._over = True
        self._rest = memoryview(b"")
        self._unset_keepalive_if_required()
        self._stop_waiting()
        self._stop_answer_timer()
        self.connections.discard(self)
        if self._busy:  # the application may go on; nobody hears it
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.abort()
                return
        if not self.transport.is_closing():
            self.transport.write(answer.encode())
        Farewell(self.transport, self._edge.sockets)

    def _await_request(self) -> None:
        self._edge.sockets.idle(self.transport, self)
        if self._request_timer is None and self._held_back is None:
            self._request_timer = self.loop.call_later(REQUEST_SECONDS, self._on_late)

    def _stop_waiting(self) -> None:
        self._edge.sockets.busy(self.transport)
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _on_late(self) -> None:
        metrics.BOUNDS_HIT[Bound.HEAD_SECONDS].inc()
        logger.debug("no request in time", extra={"began": self._began})
        self._request_timer = None
        if self._began or self._taken:
            self._say(_LATE)
        else:  # it never spoke: a probe of a port, or a browser that was early
            self._over = True
            self.transport.close()

    def _on_unread(self) -> None:
        metrics.BOUNDS_HIT[Bound.UNREAD].inc()
        self._answer_timer = None
        self.transport.abort()

    def _stop_answer_timer(self) -> None:
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None


def http_class(edge: Edge) -> type[asyncio.Protocol]:
    """Returns the protocol for uvicorn, which makes one of it for every socket."""

    class Protocol(HttpProtocol):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(edge, *args, **options)

    return cast("type[asyncio.Protocol]", Protocol)
