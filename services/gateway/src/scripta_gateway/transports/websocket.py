"""A WebSocket between the handshake and the last byte, as the application sees it (ASGI).

Owns its socket from the upgrade on. What arrives is an ``Inbox``'s; here stand the handshake's
answer, what is sent, pings, and every way in which a connection ends. Every end has a deadline.
"""

from __future__ import annotations

import asyncio
import logging
from enum import Enum, auto
from typing import Any, Final

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState

from scripta_gateway.bounds import AUDIO_TEXT_BYTES, HANDSHAKE_SECONDS, Bound
from scripta_gateway.telemetry import metrics
from scripta_gateway.transports.edge import Edge
from scripta_gateway.transports.events import Close, Opcode, Ping
from scripta_gateway.transports.farewell import Farewell
from scripta_gateway.transports.frames import close_frame, frame
from scripta_gateway.transports.inbox import Inbox
from scripta_gateway.transports.upgrade import Answer, Headers, encode_answer

logger = logging.getLogger(__name__)

AUDIO_IN_TEXT: Final = "scripta.audio_in_text"
"""Key of a ``websocket.accept``: whether the client's text messages bring audio."""

PING_SECONDS: Final = 20.0
"""How often a client is pinged: proxies close what is silent, and pings find dead peers."""
_CLOSE_SECONDS: Final = 10.0
"""How long a peer may take to answer our closing frame."""
_WRITE_BUFFER: Final = 64 * 1024


class _State(Enum):
    CONNECTING = auto()
    """The application has not answered the handshake."""
    DENYING = auto()
    """It answers with HTTP."""
    OPEN = auto()
    CLOSING = auto()
    """A closing frame was sent, or the last answer."""
    CLOSED = auto()


class WebSocketProtocol(asyncio.Protocol):
    """One WebSocket.

    Args:
        edge: What all sockets share.
        app: The ASGI application.
        scope: Its scope for this connection.
        accept: What the key of the handshake is accepted with.
        transport: The socket, on which the handshake has just arrived.
        server_state: Where uvicorn keeps what it has to close.
    """

    def __init__(
        self,
        edge: Edge,
        app: Any,
        scope: dict[str, Any],
        accept: bytes,
        transport: asyncio.Transport,
        server_state: ServerState,
    ) -> None:
        self.transport = transport
        self._edge = edge
        self._app = app
        self._scope = scope
        self._accept = accept
        self._server = server_state
        self._loop = asyncio.get_running_loop()
        self._state = _State.CONNECTING
        self._writable = asyncio.Event()
        self._writable.set()
        self._pong: bytes | None = None
        self._denial: tuple[int, Headers, bytearray] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._ping: asyncio.TimerHandle | None = None
        self._inbox = Inbox(
            transport,
            edge.room,
            edge.limits,
            on_control=self._on_control,
            on_violation=self._fail,
        )

    def begin(self, rest: bytes) -> None:
        """Hands the handshake to the application.

        Args:
            rest: Bytes that came behind it.
        """
        self.transport.set_protocol(self)
        self.transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        self._server.connections.add(self)  # type: ignore[arg-type]
        self._inbox.put({"type": "websocket.connect"})
        self._deadline = self._loop.call_later(HANDSHAKE_SECONDS, self._on_late_handshake)
        task = self._loop.create_task(self._run(), name="websocket")
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)
        if rest:
            self._inbox.feed(rest)

    # What asyncio calls.

    def data_received(self, data: bytes) -> None:
        """Reads what has arrived."""
        self._inbox.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells the application of the end, behind all messages that arrived before it."""
        self._part()
        self._edge.sockets.discard(self.transport)
        self._inbox.lose({"type": "websocket.disconnect", "code": 1006})

    def pause_writing(self) -> None:
        """Holds back what is sent: the client does not read."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Lets senders go on."""
        self._writable.set()
        if self._pong is not None:
            pong, self._pong = self._pong, None
            self._write(frame(Opcode.PONG, pong))

    def shutdown(self) -> None:
        """Closes it; called by uvicorn when the process ends."""
        if self._state is _State.CONNECTING:
            self._answer(Answer(503, "This gateway is going away; connect again"))
        elif self._state is _State.OPEN:
            self._write(close_frame(1012, ""))
            self._leave({"type": "websocket.disconnect", "code": 1012, "reason": ""})
        else:
            self.transport.close()

    # What the application calls.

    async def receive(self) -> Any:
        """Returns the next ASGI message; cancelled, it loses none."""
        return await self._inbox.receive()

    async def send(self, message: Any) -> None:
        """Sends an ASGI message; waits while the client does not read what was sent before.

        Cancelled while it waits, nothing of the message is sent.
        """
        await self._writable.wait()
        if self._state is _State.CLOSED:
            raise ClientDisconnected
        kind = message["type"]
        match self._state, kind:
            case _State.CONNECTING, "websocket.accept":
                self._open(message)
            case _State.CONNECTING, "websocket.close":
                self._answer(Answer(403, "This connection is refused"))
            case _State.CONNECTING, "websocket.http.response.start":
                self._state = _State.DENYING
                self._denial = message["status"], list(message.get("headers", ())), bytearray()
            case _State.DENYING, "websocket.http.response.body":
                self._deny(message)
            case _State.OPEN, "websocket.send":
                if (data := message.get("bytes")) is not None:
                    self._write(frame(Opcode.BINARY, data))
                else:
                    self._write(frame(Opcode.TEXT, message["text"].encode()))
            case _State.OPEN, "websocket.close":
                self._close(message.get("code", 1000), message.get("reason") or "")
            case _State.CLOSING, "websocket.send" | "websocket.close":
                raise ClientDisconnected
            case state, _:
                raise RuntimeError(f"{kind} does not fit a WebSocket that is {state.name}")

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except Exception:
            logger.exception("application failed")
        finally:  # also cancelled, when the process ends and has waited long enough
            self._on_app_end()

    def _on_app_end(self) -> None:
        self._inbox.forget()
        if self._state in (_State.CONNECTING, _State.DENYING):
            self._answer(Answer(500, "The gateway failed; this is our fault"))
        elif self._state is _State.OPEN:
            self._close(1011, "")

    # The handshake.

    def _open(self, message: Any) -> None:
        headers: Headers = [
            (b"upgrade", b"websocket"),
            (b"connection", b"Upgrade"),
            (b"sec-websocket-accept", self._accept),
            *self._server.default_headers,
            *message.get("headers", ()),
        ]
        if subprotocol := message.get("subprotocol"):
            headers.append((b"sec-websocket-protocol", subprotocol.encode()))
        if message.get(AUDIO_IN_TEXT):
            self._inbox.take_audio_in_text(AUDIO_TEXT_BYTES, self._edge.audio_texts)
        self._cancel_deadline()
        self._state = _State.OPEN
        self._write(encode_answer(101, headers))
        self._ping = self._loop.call_later(PING_SECONDS, self._send_ping)

    def _deny(self, message: Any) -> None:
        assert self._denial is not None  # the state says so
        status, headers, body = self._denial
        body += message.get("body", b"")
        if message.get("more_body", False):
            return
        named = {name.lower() for name, _ in headers}
        if b"content-length" not in named:
            headers.append((b"content-length", str(len(body)).encode()))
        headers += [(b"connection", b"close"), *self._server.default_headers]
        self._write(encode_answer(status, headers, bytes(body)))
        self._leave({"type": "websocket.disconnect", "code": 1006})

    def _answer(self, answer: Answer) -> None:
        self._write(answer.encode())
        self._leave({"type": "websocket.disconnect", "code": 1006})

    def _on_late_handshake(self) -> None:
        metrics.BOUNDS_HIT[Bound.HEAD_SECONDS].inc()
        logger.warning("handshake not answered in time")
        retry = [(b"retry-after", b"5")]
        self._answer(Answer(503, "The gateway did not answer in time; try again", retry))

    # Frames that are not for the application, and the ends.

    def _on_control(self, event: Ping | Close) -> None:
        if isinstance(event, Ping):
            if self._state is not _State.OPEN:
                return
            if self._writable.is_set():
                self._write(frame(Opcode.PONG, event.data))
            else:  # only the latest is owed a pong, and so pongs do not pile up
                self._pong = event.data
            return
        if self._state is _State.OPEN:
            self._write(frame(Opcode.CLOSE, event.data))
        disconnect = {"type": "websocket.disconnect", "code": event.code, "reason": event.reason}
        self._leave(disconnect)

    def _send_ping(self) -> None:
        self._ping = self._loop.call_later(PING_SECONDS, self._send_ping)
        if self._writable.is_set():
            self._write(frame(Opcode.PING, b""))

    def _close(self, code: int, reason: str) -> None:
        """Says goodbye, and waits a moment for the peer to do the same."""
        self._write(close_frame(code, reason))
        self._state = _State.CLOSING
        self._stop_ping()
        self._inbox.discard()
        self._inbox.put({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._deadline = self._loop.call_later(_CLOSE_SECONDS, self.transport.abort)

    def _fail(self, code: int, reason: str) -> None:
        """Ends the connection of a client that broke a rule."""
        logger.debug("websocket failed", extra={"code": code, "reason": reason})
        if self._state is _State.OPEN:
            self._write(close_frame(code, reason))
        elif self._state in (_State.CONNECTING, _State.DENYING):  # it spoke too early
            self._write(Answer(400, reason).encode())
        self._leave({"type": "websocket.disconnect", "code": code, "reason": reason})

    def _leave(self, disconnect: dict[str, Any]) -> None:
        """Gives the socket away, with all written that the client is to read."""
        self._inbox.end(disconnect)
        self._part()
        Farewell(self.transport, self._edge.sockets)

    def _part(self) -> None:
        self._state = _State.CLOSED
        self._cancel_deadline()
        self._stop_ping()
        self._server.connections.discard(self)
        self._writable.set()

    def _write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stop_ping(self) -> None:
        if self._ping is not None:
            self._ping.cancel()
            self._ping = None
