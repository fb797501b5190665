"""A socket that speaks HTTP, as uvicorn does, within bounds: how much at a time, and how long.

Always holds: a request is read in small pieces and refused at the first that is too much. A second
request is read only while the first is answered, and no third. Nothing waits without a deadline.
Whoever is refused hears why, in JSON, and the socket is closed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from scripta_gateway.bounds import (
    ANSWER_SECONDS,
    BODY_SECONDS,
    REQUEST_BODY_BYTES,
    REQUEST_SECONDS,
    REQUESTS_A_SECOND,
    REQUESTS_BURST,
    Bound,
)
from scripta_gateway.telemetry import metrics
from scripta_gateway.transports.deadline import Deadline
from scripta_gateway.transports.edge import Edge
from scripta_gateway.transports.farewell import Farewell
from scripta_gateway.transports.rate import Allowance
from scripta_gateway.transports.requests import BAD_REQUEST, BoundedRequests
from scripta_gateway.transports.securing import close_soon, is_secure
from scripta_gateway.transports.upgrade import Answer, check_upgrade
from scripta_gateway.transports.websocket import WebSocketProtocol

logger = logging.getLogger(__name__)

_PIECE: Final = 2048
"""Bytes that are parsed at once; so many of a head or a body may be beyond a bound."""
_SHUTDOWN_SECONDS: Final = 0.8
"""For answers that are under way when the process ends; uvicorn cancels them after a second."""
_LATE: Final = Answer(408, "The request took too long to arrive")
_FULL: Final = Answer(503, "Too many connections; try again later", [(b"retry-after", b"5")])


class HttpProtocol(BoundedRequests):
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
        self._over = False
        self._allowance = Allowance(REQUESTS_A_SECOND, REQUESTS_BURST, self.loop.time())
        self._answering: RequestResponseCycle | None = None
        self._held_back: asyncio.TimerHandle | None = None
        self._request = Deadline(self.loop, REQUEST_SECONDS, self._on_late)
        self._body = Deadline(self.loop, BODY_SECONDS, self._on_stalled)
        self._answer = Deadline(self.loop, ANSWER_SECONDS, self._on_unread)
        # Whether the request at hand brings audio, which may take long.
        self._uploads = False
        # What the socket was counted as until now.
        self.counted_as: object = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._edge.sockets.discard(self.counted_as)
        if not self._edge.sockets.admit(transport):
            self._over = True
            transport.write(_FULL.encode())
            close_soon(transport)
            return
        # What the kernel does not take at once counts as unread, and gets its deadline. Not 0, at
        # which TLS would take an empty buffer for a full one.
        transport.set_write_buffer_limits(high=1)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        """Reads what has arrived."""
        if self._over:
            return
        self._unset_keepalive_if_required()
        self._rest = memoryview(bytes(self._rest) + data if self._rest else data)
        if self._uploads:
            self._body.stop()
            self._body.start()
        elif not self._busy:
            self._await_request()
        self._read()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Lets an answer that is under way be finished, unless it is one to a recording.

        It takes too long to go on with for a client that has most probably left.
        """
        if not self._busy or self._takes_audio or is_secure(self.transport):
            return None  # with TLS nobody could answer any more
        self.cycle.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the socket."""
        self._stop_waiting()
        self._answer.stop()
        self._body.stop()
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
        self._answer.start()

    def resume_writing(self) -> None:
        """Writes on."""
        super().resume_writing()
        self._answer.stop()

    # What the parser calls, besides what the base class takes from it.

    def largest_body(self, method: bytes, path: bytes) -> int:
        """Returns how many bytes the body of a request may have: more where audio is taken."""
        if method == b"POST" and path in self._edge.uploads:
            return self._edge.upload_bytes
        return super().largest_body(method, path)

    def on_headers_complete(self) -> None:
        """Begins to answer; from now on a body of audio is waited for piece by piece."""
        super().on_headers_complete()
        self._uploads = self._takes_audio
        if self._uploads:
            self._stop_waiting()
            self._body.start()

    def on_message_complete(self) -> None:
        """Takes the end of the request: its deadline is over."""
        self._stop_waiting()
        self._body.stop()
        self._uploads = False
        super().on_message_complete()

    # What uvicorn calls.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle  # the others of a pipeline are behind it
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Waits for the next request, or reads on in one that has begun."""
        super().on_response_complete()
        if self._over or self.transport.is_closing():
            return
        if self._uploads:  # answered before all of it has come: nobody reads the rest
            self._part()
            return
        if self._rest:
            self.loop.call_soon(self._read)
        if self._busy:
            return
        if self.began or self._rest:
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
        close_soon(self.transport)

    def on_evicted(self) -> None:
        """Makes room for another socket."""
        self._over = True
        self._stop_waiting()
        if self.began:
            self.transport.write(self._formulated(_FULL).encode())
        close_soon(self.transport)

    # Reading.

    @property
    def _takes_audio(self) -> bool:
        return self.body_limit != REQUEST_BODY_BYTES

    @property
    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _read(self) -> None:
        while self._rest and not self.pipeline and not self._over and self._held_back is None:
            piece, self._rest = bytes(self._rest[:_PIECE]), self._rest[_PIECE:]
            self._parse(piece)
            if self.begun:
                self._count_requests()
        if self._rest and not self._over:
            self.flow.pause_reading()

    def _count_requests(self) -> None:
        begun, self.begun = self.begun, 0
        wait = self._allowance.spend(begun, self.loop.time())
        if wait and not self._over:
            metrics.BOUNDS_HIT[Bound.REQUESTS].inc()
            self._held_back = self.loop.call_later(wait, self._read_on)

    def _read_on(self) -> None:
        self._held_back = None
        if not self._over and not self._busy and (self._rest or self.began):
            self._await_request()
        self._read()
        if not self._rest and not self._over and not self.pipeline:
            self.flow.resume_reading()

    def _parse(self, piece: bytes) -> None:
        try:
            refusal = self.feed(piece)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._upgrade(piece[upgrade.args[0] :] + bytes(self._rest))
            else:
                self._over = not self._busy
                self._rest = memoryview(b"")
            return
        if refusal is not None:
            self._refuse(*refusal)

    def _upgrade(self, rest: bytes) -> None:
        if self._busy:
            self._refuse(None, Answer(400, "A WebSocket is opened on a connection of its own"))
            return
        outcome = check_upgrade(self.scope["method"], self.scope["http_version"], self.headers)
        if isinstance(outcome, Answer):
            self._refuse(None, outcome)
            return
        try:
            scope = self.websocket_scope()
        except (httptools.HttpParserError, UnicodeDecodeError):
            self._refuse(None, BAD_REQUEST)
            return
        self._over = True
        self._stop_waiting()
        self._answer.stop()
        self.connections.discard(self)
        protocol = WebSocketProtocol(
            self._edge, self.app, scope, outcome, self.transport, self.server_state
        )
        protocol.begin(rest)

    # Refusing and waiting.

    def _refuse(self, bound: Bound | None, answer: Answer) -> None:
        if bound is not None:
            metrics.BOUNDS_HIT[bound].inc()
        logger.debug("request refused", extra={"status": answer.status, "error": answer.error})
        own = self.in_body and self.cycle is not None and not self.cycle.response_started
        if self._busy and (self.pipeline or not own):
            # Those before it are answered first; then the socket is closed without a word.
            self.cycle.keep_alive = False
            self._rest = memoryview(b"")
            self.flow.pause_reading()
            self._stop_waiting()
            return
        self._say(answer)

    def _say(self, answer: Answer) -> None:
        self._forget()
        if self._busy:  # the application may go on; nobody hears it
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.abort()
                return
        if not self.transport.is_closing():
            self.transport.write(self._formulated(answer).encode())
        Farewell(self.transport, self._edge.sockets)

    def _formulated(self, answer: Answer) -> Answer:
        """Returns an answer in the form that clients of the path understand."""
        path = self.url.partition(b"?")[0]  # as far as it has come
        formulate = self._edge.uploads.get(path) if self.parser.get_method() == b"POST" else None
        return answer if formulate is None else formulate(answer)

    def _part(self) -> None:
        """Closes the socket behind an answer that its client is to read."""
        self._forget()
        Farewell(self.transport, self._edge.sockets)

    def _forget(self) -> None:
        self._over = True
        self._rest = memoryview(b"")
        self._unset_keepalive_if_required()
        self._stop_waiting()
        self._answer.stop()
        self._body.stop()
        self.connections.discard(self)

    def _await_request(self) -> None:
        self._edge.sockets.idle(self.transport, self)
        if self._held_back is None:
            self._request.start()

    def _stop_waiting(self) -> None:
        self._edge.sockets.busy(self.transport)
        self._request.stop()

    def _on_late(self) -> None:
        metrics.BOUNDS_HIT[Bound.HEAD_SECONDS].inc()
        logger.debug("no request in time", extra={"began": self.began})
        if self.began or self.taken:
            self._say(_LATE)
        else:  # it never spoke: a probe of a port, or a browser that was early
            self._over = True
            close_soon(self.transport)

    def _on_stalled(self) -> None:
        if self.flow.read_paused:  # it waits for us
            self._body.start()
            return
        metrics.BOUNDS_HIT[Bound.BODY_SECONDS].inc()
        logger.debug("no more of a body in time")
        self._say(_LATE)

    def _on_unread(self) -> None:
        metrics.BOUNDS_HIT[Bound.UNREAD].inc()
        self.transport.abort()


def http_class(edge: Edge) -> type[asyncio.Protocol]:
    """Returns the protocol for uvicorn, which makes one of it for every socket."""

    class Protocol(HttpProtocol):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(edge, *args, **options)

    return cast("type[asyncio.Protocol]", Protocol)
