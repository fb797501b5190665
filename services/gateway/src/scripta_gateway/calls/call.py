"""A call: drives one dialect on one transport, and holds its sessions.

It receives at the sessions' pace and delivers results. Time-based behaviour (idle flush, idle
close), drain, errors and closing are the same for all dialects and live here. Some tasks share the
work; the first that ends ends the others:

1. One receives: it reads frames and carries out what they ask for.
2. One a channel writes what is entered into the log, and gives each answer once the log has what
   it is for.
3. One a channel delivers results.
4. One watches for silence.

No client has more than a few messages handled before all others have their turn.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial

from scripta_common.errors import BadRequest, ScriptaError, UnknownModel, UnsupportedLanguage
from scripta_common.wire import Reason
from scripta_gateway.bounds import MAX_MESSAGES_A_TURN
from scripta_gateway.calls import closing
from scripta_gateway.calls.audio_intake import AudioIntake
from scripta_gateway.calls.channels import Channel, Channels
from scripta_gateway.calls.delivery import Delivery
from scripta_gateway.calls.idle_clock import IdleClock, Patience
from scripta_gateway.calls.opening import Opening, open_beside
from scripta_gateway.calls.outlet import Outlet
from scripta_gateway.calls.record import CallRecord
from scripta_gateway.calls.silence import SilenceWatch
from scripta_gateway.calls.tools import Tools
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.asks import Ask, Options
from scripta_gateway.dialects.base import Codec, Dialect, Policy
from scripta_gateway.dialects.told import Told
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.metrics import Outcome
from scripta_gateway.transports.base import Frame, Gone, Transport
from scripta_gateway.transports.events import Oversized

logger = logging.getLogger(__name__)

_NEVER = 1e9
"""Seconds after which nothing happens any more."""


def _patience(policy: Policy, setting: Patience) -> Patience:
    """Returns how long a client of a dialect may be silent."""
    return Patience(
        flush=setting.flush if policy.flushes else _NEVER,
        live=setting.live if policy.flushes else _NEVER,
        close=setting.close if policy.close is None else policy.close,
        first=setting.first if policy.first is None else policy.first,
        audio=setting.close,
    )


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
        session = opening.session
        self._transport = transport
        self._policy = dialect.policy
        self._codec = codec
        self._opened = opening.opened
        self._options = codec.options
        self._tools = tools
        # Whether the client knows how to come back to its session.
        self._can_come_back = opening.opened.resumed
        self._record = CallRecord(session, dialect.name)
        # Seconds of audio in the sessions before the one at hand, and whether it makes way for
        # another.
        self._behind = 0.0
        self._renewing = False
        end = self._hear_no_more if self._policy.last_words else None
        self._delivery = Delivery(self._tell, self._record, end)
        now = time.monotonic()
        patience = _patience(dialect.policy, tools.patience)
        self._clock = IdleClock(patience, now, goes_on=session.connection > 1)
        self._outlet = Outlet(transport)
        self._channels = Channels(session, self._tell, self._clock)
        for other in opening.others:
            self._channels.add(other)
        self._intake = AudioIntake(
            self._channels,
            self._options.format,
            dialect.policy,
            tools,
            self._record,
            self._tell,
            self._add_voices,
        )
        # Held while a message, or silence, is dealt with: the decoder takes one thing at a time.
        self._handling = asyncio.Lock()
        # Held while the frames of one thing are sent: they stand together.
        self._telling = asyncio.Lock()
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
                self._tools.hub.leave(
                    channel.session, comes_back=comes_back, outcome=self._record.outcome
                )
            await self._intake.close()
            self._record.closed(code)

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
                for work, name in ((self._receive(), "receive"), (silence.run(), "watch")):
                    self._until_over.append(self._tasks.create_task(work, name=name))
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
            frame = await self._transport.receive()
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
            case asks.Finalize(index):
                if not self._channels.ending:
                    await self._finalize(Reason.FINALIZE, index)
            case asks.Clear():
                await self._clear()
            case asks.End():
                await self._end()
            case asks.Configure():
                await self._configure(ask)
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

    async def _configure(self, ask: asks.Configure) -> None:
        if ask.options != self._options:
            try:
                await self._change(ask.options)
            except (BadRequest, UnknownModel, UnsupportedLanguage) as error:
                self._intake.refuse(str(error), error if ask.detail is None else ask.detail)
                return
        self._channels.first.inflow.reply(told.Configured(ask.detail, self._behind))

    async def _change(self, options: Options) -> None:
        session = self._channels.first.session
        if session.spoken and self._policy.renews:
            await self._renew(options)
        else:
            await self._tools.hub.configure(session, options.session)
        await self._intake.change(options.format)
        self._options = options

    async def _renew(self, options: Options) -> None:
        """Goes on with another session, once all of the one at hand has been told."""
        hub, before = self._tools.hub, self._channels.first
        await hub.check(options.session)
        self._renewing = True
        await self._end()
        await before.over.wait()  # cancelled, the call ends, and the session with it
        session = await hub.renew(before.session, options.session)
        self._behind += before.session.seconds
        self._record.renewed(session)
        self._serve(self._channels.renew(session))
        self._renewing = False

    async def _add_voices(self, count: int) -> None:
        """Opens a session for each further voice; cancelled meanwhile, none is left."""
        first = self._channels.first.session
        for session in await open_beside(self._tools.hub, first, count):
            self._serve(self._channels.add(session))
        await self._tell(told.Voices(self._channels.count))

    # What goes out.

    async def _tell(self, news: Told | asks.Reply) -> bool:
        """Sends the frames of some news, together; returns whether there were any."""
        async with self._telling:
            frames = news.frames if isinstance(news, asks.Reply) else self._codec.write(news)
            for frame in frames:
                await self._outlet.send(frame)
        return bool(frames)

    async def _deliver(self, channel: Channel) -> None:
        await self._delivery.run(channel)
        if self._channels.over:
            await self._finish()

    async def _hear_no_more(self) -> None:
        """Ends the stream at what has arrived; the rest is another gateway's to hear."""
        receiving = self._until_over[0]
        receiving.cancel()
        await asyncio.wait([receiving])
        await self._end()

    async def _finish(self) -> None:
        if self._delivery.farewell is not None:
            raise self._delivery.farewell
        if self._renewing:
            return
        await self._tell(told.Ended(self._behind + self._channels.seconds))
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
