"""The way of a client's messages into the log, and of the answers back.

What the receiver has entered into the session is written by one task, in calls that carry all that
waits; then the answers follow that the log allows. Always true: what is entered and not written,
and answered and not sent, is bounded, because the receiver waits for room before it reads on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from scripta_common.errors import TooManyRefusals
from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE, Reason
from scripta_gateway.bounds import MAX_REFUSALS_IN_A_ROW, Bound
from scripta_gateway.calls.answers import Answers
from scripta_gateway.calls.idle_clock import IdleClock
from scripta_gateway.sessions.session import Session
from scripta_gateway.telemetry import metrics

T = TypeVar("T")
"""An answer."""


class Inflow(Generic[T]):
    """What one session has received of its client, and what is not answered yet.

    Args:
        session: The session that its audio goes into.
        send: Sends an answer to the client.
        clock: Follows the client's messages; ``None`` for all channels of a call but the first.
    """

    def __init__(
        self,
        session: Session,
        send: Callable[[T], Awaitable[object]],
        clock: IdleClock | None = None,
    ) -> None:
        self._session = session
        self._send = send
        self._clock = clock
        self._answers = Answers[T]()
        self._refused_in_a_row = 0
        self._finished = False
        # Set when something is entered, or an answer is given or due.
        self._work = asyncio.Event()
        # Set when something has been written or sent.
        self._moved = asyncio.Event()

    def enter(
        self,
        pcm: bytes,
        message_bytes: int,
        *,
        at_rest: bool,
        more: bool = False,
        arrived: float | None = None,
        ends_file: bool = False,
    ) -> None:
        """Enters audio; as ``Session.enter``. ``ends_file``: a whole file ends with it."""
        self._session.enter(pcm, message_bytes, at_rest=at_rest, more=more, arrived=arrived)
        now = time.monotonic()
        seconds = len(pcm) / (BYTES_PER_SAMPLE * SAMPLE_RATE)
        arrived = now if arrived is None else arrived
        if self._clock is not None:
            self._clock.audio(arrived, now, seconds, ends_file=ends_file)
        self._work.set()

    def finalize(self, reason: Reason) -> None:
        """Enters a boundary; exactly one final follows."""
        self._session.finalize(reason)
        if self._clock is not None:
            self._clock.boundary(by_silence=reason is Reason.IDLE)
        self._work.set()

    def pause(self) -> None:
        """Enters that the client paused; a final follows only if it had stopped speaking."""
        self._session.pause()
        if self._clock is not None:
            self._clock.paused()
        self._work.set()

    def clear(self) -> None:
        """Drops what is accepted and not decided."""
        self._session.clear()
        if self._clock is not None:
            self._clock.boundary()
        self._work.set()

    def end(self) -> None:
        """Enters the end of the stream."""
        self._session.end()
        if self._clock is not None:
            self._clock.boundary()
        self._work.set()

    def accept(self, answer: T | None) -> None:
        """Answers a message whose audio is entered; the answer is sent once the log has it.

        Args:
            answer: The answer; ``None`` for a client that is not answered.
        """
        self._refused_in_a_row = 0
        metrics.MESSAGES.inc()
        if answer is not None:
            self.reply(answer)

    def refuse(self, answer: T) -> None:
        """Answers a message that is refused, behind the answers to those before it.

        Raises:
            TooManyRefusals: The client goes on and on like this.
        """
        if not self._session.ending:  # what comes behind the end was on its way, perhaps
            self._refused_in_a_row += 1
        if self._refused_in_a_row > MAX_REFUSALS_IN_A_ROW:
            metrics.BOUNDS_HIT[Bound.REFUSALS].inc()
            raise TooManyRefusals(
                f"More than {MAX_REFUSALS_IN_A_ROW} messages in a row were refused; send audio."
            )
        self.reply(answer)

    def reply(self, answer: T) -> None:
        """Answers a message that is no audio, behind the answers to those before it."""
        self._answers.give(self._session.last_entered, answer)
        self._work.set()

    async def wait_for_room(self) -> None:
        """Waits while the client is too far ahead of the log, or does not read its answers."""
        while self._answers.full or self._session.too_far_ahead:
            self._moved.clear()
            await self._moved.wait()

    async def finish(self) -> None:
        """Waits until all answers that have been given so far are sent; no more will be."""
        given = self._answers.given
        while self._answers.sent < given:
            self._work.set()
            self._moved.clear()
            await self._moved.wait()
        self._finished = True
        self._work.set()

    async def run(self) -> None:
        """Writes and answers until it is cancelled or finished.

        Cancelled in a call, the log may have what it carried; the next call for this session
        carries it again, which the log absorbs.

        Raises:
            ScriptaError: As ``Session.write``.
        """
        while not self._finished:
            await self._work.wait()
            self._work.clear()
            more = True
            while more:
                more = await self._session.write_once()
                await self._send_answers()
                self._moved.set()

    async def _send_answers(self) -> None:
        sent = self._answers.sent
        while not self._finished:
            answer = self._answers.next_due(self._session.logged)
            if answer is None:
                break
            await self._send(answer)
        if self._answers.sent > sent and self._clock is not None:
            self._clock.held_up(time.monotonic())
