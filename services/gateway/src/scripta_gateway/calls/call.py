"""A call: drives one dialect on one transport, and holds its sessions.

It receives at the sessions' pace and delivers results. Time-based behaviour (idle flush, idle
close), drain, errors and closing are the same for all dialects and live here. Some tasks share the
work; the first that ends ends the others:

1. One receives: it reads frames and carries out what they ask for.
2. One a channel writes what is entered into the log, and gives each answer once the log has what
   it is for.
3. One a channel delivers results.
4. One watches for silence.
5. One waits until this gateway goes, and ends the call then.

No client has more than a few messages handled before all others have their turn.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial

from scripta_common.errors import ScriptaError
from scripta_common.wire import Reason
from scripta_gateway.bounds import MAX_ANSWER_WORDS, MAX_MESSAGES_A_TURN
from scripta_gateway.calls import closing
from scripta_gateway.calls.audio_intake import AudioIntake
from scripta_gateway.calls.channels import Channel, Channels
from scripta_gateway.calls.delivery import Delivery
from scripta_gateway.calls.idle_clock import IdleClock
from scripta_gateway.calls.leaving import Leaving
from scripta_gateway.calls.opening import Opening, open_beside
from scripta_gateway.calls.outlet import Outlet
from scripta_gateway.calls.record import CallRecord
from scripta_gateway.calls.renewal import Renewal
from scripta_gateway.calls.silence import SilenceWatch
from scripta_gateway.calls.tools import Tools
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.asks import Ask
from scripta_gateway.dialects.base import Codec, Dialect
from scripta_gateway.outbound.fetched import FetchedFrames
from scripta_gateway.quotas.uploads import largest_upload
from scripta_gateway.sessions.session import Session
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.metrics import Outcome
from scripta_gateway.transports.base import Frame, Gone, Transport
from scripta_gateway.transports.events import Oversized

logger = logging.getLogger(__name__)


class Call:
    """One call.

    Args:
        transport: The client's connection, which has been accepted.
        dialect: What the client speaks.
        codec: The call's side of it.
        opening: The session that the call begins with.
        tools: What it works with.
    """

    def __init__(
        self,
        transport: Transport,
        dialect: Dialect,
        codec: Codec,
        opening: Opening,
        tools: Tools,
    ) -> None:
        session, policy = opening.session, dialect.policy
        self._transport = transport
        # Where frames come from: the client, or what is fetched in its place.
        self._source: Transport | FetchedFrames = transport
        self._codec = codec
        self._opened = opening.opened
        self._tools = tools
        # Whether the client knows how to come back to its session.
        self._can_come_back = opening.opened.resumed
        self._record = CallRecord(session, dialect.name)
        # Why the call ends once its last words are told.
        self._farewell: ScriptaError | None = None
        self._leaving = Leaving(policy, self._hear_no_more, tools.last_words)
        self._outlet = Outlet(transport, codec, self._record, gathers=policy.gathers)
        self._tell = self._outlet.tell
        most_words = MAX_ANSWER_WORDS if policy.gathers else None
        self._delivery = Delivery(self._tell, self._record, most_words, self._leaving)
        patience = tools.patience.under(policy)
        self._clock = IdleClock(patience, time.monotonic(), goes_on=session.connection > 1)
        self._channels = Channels(session, self._tell, self._clock)
        for other in opening.others:
            self._channels.add(other)
        self._intake = AudioIntake(
            self._channels,
            codec.options.format,
            policy,
            tools,
            self._record,
            self._tell,
            self._add_voices,
        )
        opener = tools.hub.opener
        self._renewal = Renewal(
            codec.options, self._channels, self._intake, policy, opener, self._end, self._go_on
        )
        # Held while a message, or silence, is dealt with: the decoder takes one thing at a time.
        self._handling = asyncio.Lock()
        self._tasks = asyncio.TaskGroup()
        # What is cancelled when all is delivered.
        self._until_over: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Serves the call until it is closed."""
        self._record.opened()
        code = 1011
        try:
            code = await self._converse()
        except Gone as left:
            code = left.code
            self._record.outcome = metrics.outcome_of_close(code)
        except Exception:
            logger.exception("connection failed")
            await self._fail(ScriptaError("The gateway failed; this is our fault."))
        finally:
            comes_back = self._can_come_back and not closing.is_for_good(code)
            for channel in self._channels:
                self._tools.hub.held.leave(
                    channel.session, comes_back=comes_back, outcome=self._record.outcome
                )
            await self._intake.close()
            if isinstance(self._source, FetchedFrames):
                await self._source.close()
            self._record.closed(code, [channel.session for channel in self._channels])

    async def _converse(self) -> int:
        error: BaseException | None = None
        silence = SilenceWatch(
            self._channels,
            self._clock,
            self._outlet,
            every=self._tools.patience.flush,
            handling=self._handling,
            pause=self._channels.pause,
            flush=partial(self._finalize, Reason.IDLE),
        )
        try:
            async with self._tasks:
                self._until_over += [
                    self._tasks.create_task(self._receive(), name="receive"),
                    self._tasks.create_task(silence.run(), name="watch"),
                    self._tasks.create_task(self._leaving.run(), name="leave"),
                ]
                for channel in self._channels:
                    self._serve(channel)
        except* Exception as group:
            error = group.exceptions[0]
        if isinstance(error, ScriptaError):
            self._record.outcome = metrics.outcome_of_error(error)
            return await self._fail(error)
        if error is not None:
            raise error
        self._record.outcome = Outcome.COMPLETED
        return self._codec.close(None).code

    def _serve(self, channel: Channel) -> None:
        writer = self._tasks.create_task(channel.inflow.run(), name="write")
        self._until_over = [task for task in self._until_over if not task.done()]
        self._until_over.append(writer)
        self._tasks.create_task(self._deliver(channel), name="deliver")

    # What comes in.

    async def _receive(self) -> None:
        # Cancelled at any await: what is entered stays in the session, and is written when it is
        # left or taken up again.
        await self._tell(self._opened)
        if self._channels.count > 1:
            await self._tell(told.Voices(self._channels.count))
        self._can_come_back |= self._codec.resumable
        handled = 0
        while True:
            frame = await self._source.receive()
            self._intake.arrived = time.monotonic()
            self._clock.message(self._intake.arrived)
            async with self._handling:
                wanted = self._read(frame)
                del frame  # it may be large, and what it asks for may take its time
                for ask in wanted:
                    await self._carry_out(ask)
                await self._intake.wait_for_room()
            now = time.monotonic()
            self._clock.held_up(now)  # until now it was not read from
            for channel in self._channels:
                channel.session.stopwatch.handled(now)
            handled += 1
            if handled % MAX_MESSAGES_A_TURN == 0:
                # What has arrived already is received without a pause; others wait meanwhile.
                await asyncio.sleep(0)

    def _read(self, frame: Frame | Oversized | None) -> Sequence[Ask]:
        match frame:
            case None:
                return self._codec.finish()
            case Oversized():
                return self._codec.oversized(is_text=frame.is_text, limit=frame.limit)
            case _:
                return self._codec.read(frame)

    async def _carry_out(self, ask: Ask) -> None:
        match ask:
            case asks.Audio():
                await self._intake.take(ask)
            case asks.Fetch(url):
                largest = largest_upload(self._channels.first.session.caller)
                recording = await self._tools.fetcher.fetch(url, largest)
                self._source = FetchedFrames(recording, self._transport)
            case asks.Finalize(index):
                if not self._channels.ending:
                    await self._finalize(Reason.FINALIZE, index)
            case asks.Clear():
                await self._clear()
            case asks.End():
                await self._end()
            case asks.Configure():
                await self._renewal.configure(ask)
            case asks.Refuse(message, detail):
                self._intake.refuse(message, detail)
            case asks.Reply():
                self._channels.first.inflow.reply(ask)
            case asks.Note(detail):
                self._channels.first.inflow.reply(told.Noted(detail))
            case asks.KeepAlive():
                pass

    async def _finalize(self, reason: Reason, index: int | None = None) -> None:
        await self._intake.take_rest(end=False)
        self._channels.finalize(reason, index)

    async def _clear(self) -> None:
        if not self._channels.ending:
            await self._intake.take_rest(end=False)  # what the decoder holds back is dropped, too
            self._channels.clear()

    async def _end(self) -> None:
        if not self._channels.ending:
            await self._intake.take_rest(end=True)
            self._channels.end()

    def _go_on(self, session: Session) -> None:
        """Goes on with another session in place of the one that is over."""
        self._record.renewed(session)
        self._serve(self._channels.renew(session))

    async def _add_voices(self, count: int) -> None:
        """Opens a session for each further voice; cancelled meanwhile, none is left."""
        first = self._channels.first.session
        for session in await open_beside(self._tools.hub.opener, first, count):
            self._serve(self._channels.add(session))
        await self._tell(told.Voices(self._channels.count))

    # What goes out.

    async def _deliver(self, channel: Channel) -> None:
        await self._delivery.run(channel)
        if self._channels.over:
            await self._finish()

    async def _hear_no_more(self, farewell: ScriptaError) -> None:
        """Ends the stream at what has arrived; nothing more is heard of this call.

        Cancelled, the call is over, and there is nothing to end.
        """
        if self._channels.ending:
            return  # its client has ended it, and gets all of it
        self._farewell = farewell
        receiving = self._until_over[0]
        receiving.cancel()
        await asyncio.wait([receiving])
        await self._end()

    async def _finish(self) -> None:
        if self._farewell is not None:
            raise self._farewell
        if self._renewal.under_way:
            return
        await self._tell(told.Ended(self._renewal.seconds))
        await self._transport.close(self._codec.close(None))
        for task in self._until_over:
            task.cancel()

    async def _fail(self, error: ScriptaError) -> int:
        self._record.failed(error)
        close = self._codec.close(error)
        try:
            await self._tell(told.Failed(error, self._channels.first.session.messages))
            await self._transport.close(close)
        except Gone:
            pass  # the client has gone meanwhile
        return close.code
