"""A client's connection, whatever its dialect: receives at the session's pace, delivers results.

A dialect subclasses ``Connection`` and says what its frames mean. Time-based behaviour (idle
flush, idle close), drain, errors and closing are the same for all and live here. Four tasks share
the work; the first that ends ends the others:

1. One receives: it reads, decodes and enters audio, and gives answers.
2. One writes what is entered into the log, and sends each answer once the log has what it is for.
3. One delivers results.
4. One watches for silence.

No client has more than a few messages handled before all others have their turn.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from scripta_common.errors import BadAudio, ScriptaError
from scripta_common.tracing import NO_SPAN
from scripta_common.wire import Ended, Failed, Interim, Reason
from scripta_common.wire import Final as FinalResult
from scripta_gateway.audio.decoder import AudioDecoder
from scripta_gateway.audio.doubt import Doubt
from scripta_gateway.bounds import MAX_MESSAGES_A_TURN
from scripta_gateway.calls import closing
from scripta_gateway.calls.connection_record import ConnectionRecord
from scripta_gateway.calls.idle_clock import IdleClock, Patience
from scripta_gateway.calls.inflow import Inflow
from scripta_gateway.calls.outlet import Outlet
from scripta_gateway.calls.silence import SilenceWatch
from scripta_gateway.sessions.hub import Hub
from scripta_gateway.sessions.session import Session
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.metrics import Dialect, Outcome
from scripta_gateway.transports.events import Oversized
from scripta_gateway.transports.inbox import OVERSIZED

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds of a connection, in seconds."""

    idle_flush: float
    live_flush: float
    idle_close: float
    first_audio: float

    @property
    def patience(self) -> Patience:
        """How long it may be silent."""
        return Patience(self.idle_flush, self.live_flush, self.idle_close, self.first_audio)


class Connection(ABC):
    """One accepted WebSocket and the session that it feeds.

    Attributes:
        dialect: What the client speaks.
        session: The open session.
        inflow: Takes what is entered and what is answered.
        send: Sends a frame past the answers.

    Args:
        websocket: Accepted socket.
        hub: Where the session came from and goes back to.
        session: The open session.
        decoder: Turns the client's audio into PCM.
        limits: Bounds.
    """

    dialect: ClassVar[Dialect]

    def __init__(
        self,
        websocket: WebSocket,
        hub: Hub,
        session: Session,
        decoder: AudioDecoder,
        limits: ConnectionLimits,
    ) -> None:
        self.session = session
        self.limits = limits
        self._websocket = websocket
        self._hub = hub
        self._decoder = decoder
        # Whether the client knows how to come back to its session.
        self.can_come_back = False
        self._record = ConnectionRecord(session, self.dialect)
        self._arrived = 0.0
        self._clock = IdleClock(limits.patience, time.monotonic(), goes_on=session.connection > 1)
        self._outlet = Outlet(websocket)
        self.send = self._outlet.send
        self.inflow = Inflow(session, self.send, self._clock)
        # Held while a message, or silence, is dealt with: the decoder takes one thing at a time.
        self._handling = asyncio.Lock()

    @abstractmethod
    async def on_open(self) -> None:
        """Says what the dialect says first."""

    @abstractmethod
    async def on_audio(self, message: bytes) -> None:
        """Handles a binary message."""

    @abstractmethod
    async def on_oversized(self, message: Oversized) -> None:
        """Handles a message that was larger than its limit, and of which nothing was kept."""

    @abstractmethod
    async def on_text(self, text: str) -> None:
        """Handles a text message."""

    @abstractmethod
    async def on_bad_audio(self, error: BadAudio) -> None:
        """Says that audio can not be decoded; the session goes on."""

    @abstractmethod
    async def on_doubt(self, doubt: Doubt) -> None:
        """Warns that raw audio can hardly be what it is taken for; it is taken all the same."""

    @abstractmethod
    async def on_result(self, result: FinalResult | Interim) -> bool:
        """Sends a result; returns whether it was one for this client."""

    @abstractmethod
    async def on_end(self) -> None:
        """Says what the dialect says before a normal close."""

    @abstractmethod
    async def on_failure(self, error: ScriptaError) -> None:
        """Says why the session can not go on; the close with the error's code follows."""

    async def run(self) -> None:
        """Serves the connection until it is closed."""
        self._record.opened()
        code = 1011
        try:
            code = await self._converse()
        except WebSocketDisconnect as left:
            code = left.code
            self._record.outcome = metrics.outcome_of_close(code)
        except Exception:
            logger.exception("connection failed")
            await self._fail(ScriptaError("The gateway failed; this is our fault."))
        finally:
            comes_back = self.can_come_back and not closing.is_for_good(code)
            self._hub.leave(self.session, comes_back=comes_back, outcome=self._record.outcome)
            await self._decoder.close()
            self._record.closed(code)

    async def enter_audio(self, message: bytes) -> None:
        """Decodes a message and enters its audio into the session.

        Its audio comes in slices. The next one is decoded when there is room for the one before,
        so that a small message that holds hours of audio is never held as a whole.

        Raises:
            BadAudio: It can not be decoded; what of it was decoded before stays entered, and the
                session goes on.
        """
        last: bytes | None = None
        try:
            async for pcm in self._decoder.feed(message):
                if last is not None:
                    self._enter(last, 0, more=True)
                    await self._wait_for_room()
                last = pcm
        except BadAudio:
            if last is not None:
                self._enter(last, 0)
            raise
        self._enter(last or b"", len(message))
        await self._tell_doubt()

    async def finalize(self, reason: Reason = Reason.FINALIZE) -> None:
        """Ends the current segment; exactly one final follows."""
        await self._enter_rest(end=False)
        self.inflow.finalize(reason)

    async def end(self) -> None:
        """Ends the stream; the last finals and the close follow."""
        if not self.session.ending:
            await self._enter_rest(end=True)
            self.inflow.end()

    async def _enter_rest(self, *, end: bool) -> None:
        try:
            async for pcm in self._decoder.flush(end=end):
                self._enter(pcm, 0)
                await self._wait_for_room()
        except BadAudio as error:  # a file that was cut short; the boundary stands all the same
            await self.on_bad_audio(error)
        await self._tell_doubt()

    async def _tell_doubt(self) -> None:
        doubt = self._decoder.take_doubt()
        if doubt is not None:
            metrics.DOUBTS[doubt].inc()
            logger.warning("raw audio looks wrong", extra={"looks_like": doubt.value})
            await self.on_doubt(doubt)

    def _enter(self, pcm: bytes, message_bytes: int, *, more: bool = False) -> None:
        self.inflow.enter(
            pcm,
            message_bytes,
            at_rest=self._decoder.at_rest,
            more=more,
            arrived=self._arrived,
            ends_file=self._decoder.between_files,
        )

    async def _wait_for_room(self) -> None:
        await self.inflow.wait_for_room()
        await self._hub.held_audio.wait_for_room(self.session)

    async def _converse(self) -> int:
        error: BaseException | None = None
        silence = SilenceWatch(
            self.session,
            self._clock,
            self._outlet,
            every=self.limits.idle_flush,
            handling=self._handling,
            pause=self.inflow.pause,
            flush=partial(self.finalize, Reason.IDLE),
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                receiver = tasks.create_task(self._receive(), name="receive")
                writer = tasks.create_task(self.inflow.run(), name="write")
                watcher = tasks.create_task(silence.run(), name="watch")
                deliverer = tasks.create_task(self._deliver(), name="deliver")
                others = (receiver, writer, watcher)
                deliverer.add_done_callback(lambda _: [other.cancel() for other in others])
        except* Exception as group:
            error = group.exceptions[0]
        if isinstance(error, ScriptaError):
            self._record.outcome = metrics.outcome_of_error(error)
            await self._fail(error)
            return error.close_code
        if error is not None:
            raise error
        self._record.outcome = Outcome.COMPLETED
        return 1000

    async def _receive(self) -> None:
        # Cancelled at any await: what is entered stays in the session, and is written when it is
        # left or taken up again.
        await self.on_open()
        handled = 0
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"])
            self._arrived = time.monotonic()
            self._clock.message(self._arrived)
            async with self._handling:
                await self._handle(message)
                await self._wait_for_room()
            now = time.monotonic()
            self._clock.held_up(now)  # until now it was not read from
            self.session.stopwatch.handled(now)
            handled += 1
            if handled % MAX_MESSAGES_A_TURN == 0:
                # What has arrived already is received without a pause; others wait meanwhile.
                await asyncio.sleep(0)

    async def _handle(self, message: Message) -> None:
        if (data := message.get("bytes")) is not None:
            await self.on_audio(data)
        elif (text := message.get("text")) is not None:
            await self.on_text(text)
        elif (oversized := message.get(OVERSIZED)) is not None:
            await self.on_oversized(oversized)

    async def _deliver(self) -> None:
        while True:
            for result in await self.session.next_results():
                if isinstance(result, Ended):
                    await self.inflow.finish()
                    await self.on_end()
                    await self._websocket.close(1000)
                    return
                if isinstance(result, Failed):
                    raise closing.failure(result)
                delivery = NO_SPAN
                if isinstance(result, FinalResult):
                    delivery = self.session.begin_delivery(result)
                if await self.on_result(result):
                    delivery.end()
                    self._record.sent(result)

    async def _fail(self, error: ScriptaError) -> None:
        self._record.failed(error)
        try:
            await self.on_failure(error)
            await self._websocket.close(error.close_code)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client has gone meanwhile
