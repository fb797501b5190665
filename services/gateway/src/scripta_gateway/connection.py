"""A client's connection, whatever its dialect: receives at the session's pace, delivers results.

A dialect subclasses ``Connection`` and says what its frames mean. Time-based behaviour (idle
flush, idle close), drain, errors and closing are the same for all and live here. One task
receives, one delivers; whichever ends first ends the other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from scripta_common.errors import BadAudio, ScriptaError, SessionIdle, by_code
from scripta_common.logs import bind
from scripta_common.tracing import NO_SPAN, trace_of
from scripta_common.wire import Ended, Failed, Interim, Reason
from scripta_common.wire import Final as FinalResult
from scripta_gateway import metrics
from scripta_gateway.audio import AudioDecoder
from scripta_gateway.hub import Hub
from scripta_gateway.idle_clock import Due, IdleClock
from scripta_gateway.latency import Delivered, Latency
from scripta_gateway.metrics import Dialect, Outcome
from scripta_gateway.session import Session

logger = logging.getLogger(__name__)

_ARRIVED_SECONDS: Final = 0.05
"""Long enough to read what has already arrived."""

_SEND_SECONDS: Final = 60.0
"""How long a client may leave results unread before its connection is given up."""


_NO_CODE: Final = 1005
_BROKEN: Final = 1006
_FOR_GOOD: Final = frozenset({1000, 1001, 1008})
"""Close codes after which nobody comes back: done, left or idle, refused."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds of a connection: seconds, and bytes of a message."""

    idle_flush: float
    idle_close: float
    max_message: int


class Connection(ABC):
    """One accepted WebSocket and the session that it feeds.

    Attributes:
        dialect: What the client speaks.

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
        self._outcome = Outcome.FAILED
        self._finals = 0
        self._arrived = 0.0
        self._clock = IdleClock(limits.idle_flush, limits.idle_close, time.monotonic())

    @abstractmethod
    async def on_open(self) -> None:
        """Says what the dialect says first."""

    @abstractmethod
    async def on_audio(self, message: bytes) -> None:
        """Handles a binary message."""

    @abstractmethod
    async def on_text(self, text: str) -> None:
        """Handles a text message."""

    @abstractmethod
    async def on_bad_audio(self, error: BadAudio) -> None:
        """Says that audio can not be decoded; the session goes on."""

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
        self._begin()
        metrics.CONNECTIONS_OPENED[self.dialect].inc()
        metrics.CONNECTIONS[self.dialect].inc()
        code = 1011
        try:
            code = await self._converse()
        except WebSocketDisconnect as left:
            code = left.code
            self._outcome = metrics.outcome_of_close(code)
        except Exception:
            logger.exception("connection failed")
            await self._fail(ScriptaError("The gateway failed; this is our fault."))
        finally:
            comes_back = self.can_come_back and code not in _FOR_GOOD
            self._hub.leave(self.session, comes_back=comes_back, outcome=self._outcome)
            await self._decoder.close()
            metrics.CONNECTIONS[self.dialect].dec()
            metrics.count_close(code)
            self._close(code)

    async def send(self, text: str) -> None:
        """Sends a text frame; raises ``WebSocketDisconnect`` if the client does not read."""
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await self._websocket.send_text(text)
        except TimeoutError:
            raise WebSocketDisconnect(1006, "client does not read") from None

    async def accept_audio(self, message: bytes) -> None:
        """Decodes a message and puts it into the log.

        Its audio comes in slices. The next one is decoded when the one before has been accepted,
        so that a small message that holds hours of audio is never held as a whole.

        Raises:
            BadAudio: It can not be decoded; what of it was decoded before stays in the log, and
                the session goes on.
            ScriptaError: The session can not go on.
        """
        last: bytes | None = None
        try:
            async for pcm in self._decoder.feed(message):
                if last is not None:
                    await self.session.append(last, 0, arrived=self._arrived, more=True)
                last = pcm
        except BadAudio:
            if last is not None:
                await self.session.append(last, 0, at_rest=self._decoder.at_rest)
            raise
        await self.session.append(
            last or b"", len(message), at_rest=self._decoder.at_rest, arrived=self._arrived
        )
        self._clock.audio(time.monotonic())
        metrics.MESSAGES.inc()

    async def finalize(self, reason: Reason = Reason.FINALIZE) -> None:
        """Ends the current segment; exactly one final follows."""
        await self._append_rest(end=False)
        await self.session.finalize(reason)
        self._clock.boundary()

    async def end(self) -> None:
        """Ends the stream; the last finals and the close follow."""
        if not self.session.ending:
            await self._append_rest(end=True)
            await self.session.end()
        self._clock.boundary()

    async def _append_rest(self, *, end: bool) -> None:
        try:
            async for pcm in self._decoder.flush(end=end):
                await self.session.append(pcm, 0, at_rest=self._decoder.at_rest)
        except BadAudio as error:  # a file that was cut short; the boundary stands all the same
            await self.on_bad_audio(error)

    async def _converse(self) -> int:
        error: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                receiver = tasks.create_task(self._receive(), name="receive")
                deliverer = tasks.create_task(self._deliver(), name="deliver")
                receiver.add_done_callback(lambda _: deliverer.cancel())
                deliverer.add_done_callback(lambda _: receiver.cancel())
        except* Exception as group:
            error = group.exceptions[0]
        if isinstance(error, ScriptaError):
            self._outcome = metrics.outcome_of_error(error)
            await self._fail(error)
            return error.close_code
        if error is not None:
            raise error
        self._outcome = Outcome.COMPLETED
        return 1000

    async def _receive(self) -> None:
        await self.on_open()
        while True:
            message = await self._next_message()
            if message is None:
                await self._on_silence()
                continue
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(_close_code(message))
            self._arrived = time.monotonic()
            self._clock.message(self._arrived)
            if (data := message.get("bytes")) is not None:
                await self.on_audio(data)
            elif (text := message.get("text")) is not None:
                await self.on_text(text)

    async def _next_message(self) -> Message | None:
        """Returns the next message, ``None`` if there is none when silence has made something due.

        This process may have stood still meanwhile (frozen, or short of processor time) and the
        client not: what has arrived by then is read before anyone is called silent.
        """
        for seconds in (self._clock.deadline() - time.monotonic(), _ARRIVED_SECONDS):
            try:
                async with asyncio.timeout(seconds):
                    return await self._websocket.receive()
            except TimeoutError:
                continue
        return None

    async def _on_silence(self) -> None:
        match self._clock.due(time.monotonic()):
            case Due.FLUSH:
                await self.finalize(Reason.IDLE)
            case Due.CLOSE if not self.session.outstanding:
                raise SessionIdle("The client sent nothing for too long.")
            case Due.CLOSE:
                self._clock.message(time.monotonic())  # it waits for results, rightly

    async def _deliver(self) -> None:
        while True:
            for result in await self.session.next_results():
                if isinstance(result, Ended):
                    await self.on_end()
                    await self._websocket.close(1000)
                    return
                if isinstance(result, Failed):
                    raise _failure(result)
                delivery = NO_SPAN
                if isinstance(result, FinalResult):
                    delivery = self.session.begin_delivery(result)
                if await self.on_result(result):
                    delivery.end()
                    self._count(result)

    def _count(self, result: FinalResult | Interim) -> None:
        watch, now = self.session.stopwatch, time.monotonic()
        if isinstance(result, Interim):
            metrics.INTERIMS.inc()
            if (latency := watch.sent_interim(result, now)) is not None:
                metrics.observe_latency(Delivered.FIRST_INTERIM, latency)
            return
        self._finals += 1
        metrics.FINALS.inc()
        timed = watch.sent(result, now)
        if isinstance(timed, Latency):
            metrics.observe_latency(Delivered.FINAL, timed)
        else:
            metrics.FINALS_UNTIMED[timed].inc()

    def _begin(self) -> None:
        session, span = self.session, self.session.span
        trace_id = trace_of(span.traceparent or session.options.traceparent)
        bind(session=session.sid, client_id=session.client_id, trace_id=trace_id)
        span.set(
            {
                "scripta.session": session.sid,
                "scripta.client_id": session.client_id,
                "scripta.pool": session.options.pool,
            }
        )
        extra = {"pool": session.options.pool, "resumed": session.connection > 1}
        logger.info("connection opened", extra=extra)

    def _close(self, code: int) -> None:
        session, span = self.session, self.session.span
        span.set(
            {
                "scripta.outcome": self._outcome,
                "scripta.close_code": code,
                "scripta.audio_seconds": session.seconds,
                "scripta.held_back_seconds": session.held_back,
                "scripta.finals": self._finals,
            }
        )
        span.end()
        seconds = round(session.seconds, 1)
        extra = {"code": code, "outcome": self._outcome, "audio_seconds": seconds}
        logger.info("connection closed", extra={**extra, "finals": self._finals})

    async def _fail(self, error: ScriptaError) -> None:
        if self._outcome is Outcome.FAILED:
            self.session.span.fail(error.code)
            logger.warning("session failed", extra={"code": error.code})
        else:
            self.session.span.event(error.code)
            logger.info("client sent away", extra={"code": error.code})
        try:
            await self.on_failure(error)
            await self._websocket.close(error.close_code)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client has gone meanwhile


def _close_code(message: Message) -> int:
    code = int(message.get("code") or _NO_CODE)
    # uvicorn gives this one to a connection that broke, too; a closing frame has a reason, if only
    # an empty one.
    return _BROKEN if code == _NO_CODE and "reason" not in message else code


def _failure(result: Failed) -> ScriptaError:
    return by_code(result.code)(result.message)
