"""The receiving half of a WebSocket: from bytes to messages, in turns that are fair to others.

Reading stops (and TCP holds the client back) while enough messages wait to be taken, while
frames come faster than the connection's allowance, and while a large message has no room. Parsing
yields to the loop after every few frames.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from scripta_gateway.bounds import (
    FRAMES_A_SECOND,
    FRAMES_A_TURN,
    FRAMES_BURST,
    INBOX_MESSAGES,
    SMALL_MESSAGE_BYTES,
    Bound,
)
from scripta_gateway.telemetry import metrics
from scripta_gateway.transports.events import (
    Close,
    Event,
    Limits,
    Message,
    NeedsRoom,
    Oversized,
    Ping,
    Violation,
)
from scripta_gateway.transports.frames import FrameReader
from scripta_gateway.transports.message_room import MessageRoom
from scripta_gateway.transports.rate import Allowance

OVERSIZED: Final = "scripta.oversized"
"""Key of a ``websocket.receive`` whose message is skipped: its value is an ``Oversized``."""

_EVICTED: Final = "Too many large messages are unfinished here; try later, or send smaller ones"


class Inbox:
    """Messages of one connection.

    Args:
        transport: Its socket.
        room: Where large messages find room.
        limits: How large messages may be.
        on_control: Is called with every ping and close, in their order.
        on_violation: Is called once if the client breaks the protocol, or costs too much.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        room: MessageRoom,
        limits: Limits,
        *,
        on_control: Callable[[Ping | Close], None],
        on_violation: Callable[[int, str], None],
    ) -> None:
        self._transport = transport
        self._room = room
        self._on_control = on_control
        self._on_violation = on_violation
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader(limits)
        self._allowance = Allowance(FRAMES_A_SECOND, FRAMES_BURST, self._loop.time())
        self._messages: deque[tuple[dict[str, Any], int]] = deque()
        self._bytes = 0
        self._end: dict[str, Any] | None = None
        self._lost: dict[str, Any] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._turn: asyncio.Handle | None = None
        self._paused = False

    def take_audio_in_text(self, size: int, room: MessageRoom) -> None:
        """Takes text messages of up to ``size`` bytes, and finds room for them elsewhere."""
        self._room.release(self)
        self._room = room
        self._reader.allow_text(size)

    def forget(self) -> None:
        """Notes that what was received is dealt with."""
        self._room.heard(self)

    def feed(self, data: bytes) -> None:
        """Takes bytes that have arrived."""
        if self._end is None:
            self._reader.feed(data)
            if self._turn is None:
                self._read()

    def put(self, message: dict[str, Any]) -> None:
        """Adds a message that comes from elsewhere, such as ``websocket.connect``."""
        self._messages.append((message, 0))

    def discard(self) -> None:
        """Takes no more messages: all that counts is the peer's closing frame."""
        self._reader.discard()
        self._messages.clear()
        self._bytes = 0
        if self._turn is not None:  # skipping costs next to nothing, and is not held up
            self._turn.cancel()
            self._turn = None
        self._continue()

    def end(self, disconnect: dict[str, Any]) -> None:
        """Ends it: nothing more is read, and ``disconnect`` is received after what has arrived."""
        if self._end is not None:
            return
        self._end = disconnect
        # Who waits for the room reads on at once: the message goes before its room does.
        self._reader.close()
        self._room.release(self)
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._wake()

    def lose(self, disconnect: dict[str, Any]) -> None:
        """Ends it once all that has arrived is read."""
        self._lost = disconnect
        self._room.release(self)
        if self._paused:
            self._continue()
        else:
            self.end(disconnect)

    async def receive(self) -> dict[str, Any]:
        """Returns the next message; cancelled, it leaves the message to the next call.

        Whoever asks for the next has dealt with the last.
        """
        self.forget()
        while not self._messages:
            if self._end is not None:
                return self._end
            self._waiter = self._loop.create_future()
            self._continue()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message, size = self._messages.popleft()
        self._bytes -= size
        return message

    def on_room(self) -> None:
        """Reads on: there is room for the large message that is under way."""
        self._reader.has_room = True
        self._continue()

    def on_evicted(self) -> None:
        """Ends the connection: it held room for too long that others need."""
        metrics.BOUNDS_HIT[Bound.UNFINISHED_BYTES].inc()
        self._on_violation(1013, _EVICTED)

    def _continue(self) -> None:
        # Never at once: others have their turn between two of this connection.
        if self._paused and self._turn is None and self._end is None:
            self._turn = self._loop.call_soon(self._read)

    def _read(self) -> None:
        self._turn = None
        try:
            reads_on = self._take_turn()
        except Violation as violation:
            self._count(violation)
            self._on_violation(violation.code, violation.reason)
            return
        if self._end is not None:
            return
        wait = self._allowance.spend(self._reader.cost, self._loop.time())
        self._reader.cost = 0.0
        if wait and not self._reader.discarding:
            metrics.BOUNDS_HIT[Bound.FRAMES].inc()
            self._pause()
            if self._turn is not None:
                self._turn.cancel()
            self._turn = self._loop.call_later(wait, self._read)
        elif reads_on:
            self._resume()

    def _take_turn(self) -> bool:
        """Handles some frames; returns whether more bytes are wanted."""
        for _ in range(FRAMES_A_TURN):
            if len(self._messages) >= INBOX_MESSAGES or self._bytes >= SMALL_MESSAGE_BYTES:
                self._pause()
                return False
            event = self._reader.next()
            if event is None:
                if self._lost is not None:
                    self.end(self._lost)
                return True
            if isinstance(event, NeedsRoom):
                if not self._find_room(event.size):
                    self._pause()
                    return False
                self._reader.has_room = True
                continue
            self._handle(event)
            if self._end is not None:
                return False
        self._pause()
        self._continue()
        return False

    def _find_room(self, size: int) -> bool:
        if self._lost is not None:  # it has arrived in full, or never will
            return True
        # A client that is held back gets no room: it is only for what is taken at once.
        return self._waiter is not None and not self._messages and self._room.ask(self, size)

    def _handle(self, event: Event) -> None:
        match event:
            case Message(is_text=is_text, data=data):
                self._room.complete(self)
                if not self._reader.discarding:
                    self._deliver(is_text, data)
            case Oversized(is_text=is_text):
                self._room.release(self)
                metrics.BOUNDS_HIT[Bound.TEXT_BYTES if is_text else Bound.FRAME_BYTES].inc()
                self._append({"type": "websocket.receive", OVERSIZED: event}, 0)
            case Ping() | Close():
                self._on_control(event)
            case _:
                pass

    def _deliver(self, is_text: bool, data: bytes) -> None:
        if is_text:
            try:
                text = data.decode()
            except UnicodeDecodeError:
                raise Violation(1007, "Text messages have to be UTF-8") from None
            self._append({"type": "websocket.receive", "text": text}, len(data))
        else:
            self._append({"type": "websocket.receive", "bytes": data}, len(data))

    def _append(self, message: dict[str, Any], size: int) -> None:
        self._messages.append((message, size))
        self._bytes += size
        self._wake()

    def _count(self, violation: Violation) -> None:
        if violation.code == 1009:
            metrics.BOUNDS_HIT[Bound.FRAME_BYTES].inc()
        elif violation.code == 1008:
            metrics.BOUNDS_HIT[Bound.FRAMES].inc()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            if not self._transport.is_closing():
                self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
