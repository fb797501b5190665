"""One session: speaks a recording, listens, and says how it went.

A single flow of control: between two chunks it reads what comes. It sees neither Locust nor
gevent; whoever runs it gives the connection, and is told of each latency as it is measured.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scripta_load.connection import CLOSED_ABNORMALLY, SEND_SECONDS, Closed, Connection
from scripta_load.hearing import Hearing, Measure, Measurement
from scripta_load.reference import Final
from scripta_load.timeline import Timeline

NORMAL = 1000
END = '{"type":"end"}'
TIMED_OUT = "no close"
_AT_ONCE = 1e6


@dataclass(frozen=True, slots=True)
class Report:
    """How a session went.

    Attributes:
        finals: What it heard.
        accepted: Messages that were acknowledged.
        seconds: Their audio.
        whole: Whether all audio was sent and the gateway closed as it should.
        broken: How the connection ended if not as it should: a close code, or ``no close``.
        reason: In words.
        disordered: Finals whose index was not the next one.
        refused: Messages that were refused.
        sent: Messages that were sent.
        late: Those of them that went late.
        worst_lateness: Longest delay of one, in seconds.
    """

    finals: tuple[Final, ...]
    accepted: int
    seconds: float
    whole: bool
    broken: str
    reason: str
    disordered: int
    refused: int
    sent: int
    late: int
    worst_lateness: float


class Session:
    """A speaker on an open connection.

    Args:
        connection: It; the session does not close it.
        chunks: What to say.
        chunk_seconds: Length of each, but for the last.
        pace: Multiple of the speed of speech; ``None`` for as fast as chunks are accepted.
        close_timeout: Longest time from `end` to the close, in seconds.
        leaving: Tells whether to end early.
        measured: Is told each latency.
    """

    def __init__(
        self,
        connection: Connection,
        chunks: Sequence[bytes | memoryview],
        *,
        chunk_seconds: float,
        pace: float | None,
        close_timeout: float,
        leaving: Callable[[], bool] = lambda: False,
        measured: Callable[[Measurement], None] = lambda _: None,
    ) -> None:
        self._connection = connection
        self._chunks = chunks
        self._chunk_seconds = chunk_seconds
        self._paced = pace is not None
        self._close_timeout = close_timeout
        self._leaving = leaving
        self._measured = measured
        self._timeline = Timeline(time.monotonic(), chunk_seconds, pace or _AT_ONCE)
        self._hearing = Hearing(self._timeline)

    def run(self) -> Report:
        """Speaks to the end of the chunks, or until it is to leave; returns how that went."""
        ended = None
        try:
            self._speak()
            self._connection.send(END)
            ended = time.monotonic()
            self._listen(ended + self._close_timeout)
        except Closed as closed:
            if closed.code == NORMAL and ended is not None:
                self._measured(Measurement(Measure.CLOSE, time.monotonic() - ended))
                return self._report("", "")
            return self._report(str(closed.code), self._hearing.error or str(closed))
        return self._report(TIMED_OUT, f"no close within {self._close_timeout:g} s")

    def _speak(self) -> None:
        for chunk in self._chunks:
            if self._paced:
                self._listen(self._timeline.next_due)
            else:
                self._listen_until_answered()
            if self._leaving():
                return
            self._connection.send(chunk)
            self._timeline.sent(time.monotonic())

    def _listen(self, deadline: float) -> None:
        while (message := self._connection.receive(deadline)) is not None:
            measurement = self._hearing.take(json.loads(message), time.monotonic())
            if measurement is not None:
                self._measured(measurement)

    def _listen_until_answered(self) -> None:
        patience = time.monotonic() + SEND_SECONDS
        while self._hearing.answered < self._timeline.chunks:
            message = self._connection.receive(patience)
            if message is None:
                raise Closed(CLOSED_ABNORMALLY, f"stalled for {SEND_SECONDS:g} s")
            self._hearing.take(json.loads(message), time.monotonic())

    def _report(self, broken: str, reason: str) -> Report:
        hearing, timeline = self._hearing, self._timeline
        return Report(
            finals=tuple(hearing.finals),
            accepted=hearing.accepted,
            seconds=hearing.accepted * self._chunk_seconds,
            whole=not broken and timeline.chunks == len(self._chunks),
            broken=broken,
            reason=reason,
            disordered=hearing.disordered,
            refused=hearing.refused,
            sent=timeline.chunks,
            late=timeline.late,
            worst_lateness=timeline.worst_lateness,
        )
