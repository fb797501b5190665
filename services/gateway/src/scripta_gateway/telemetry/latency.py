"""How late a session's words are, and where the time went: pure, no I/O, no clock.

A final's time begins with the arrival of the entry that decided its segment's end, a first
interim's with that of the segment's first audio; it ends when the result has been sent. The parts
of a latency always add up to it: all are measured but ``queue``, which is the rest.

What was sent faster than it can have been spoken (a file) is not timed: its words are as late as
its sender made them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from scripta_common.wire import Final as FinalResult
from scripta_common.wire import Interim, Origin, Recorded, Speech
from scripta_gateway.calls.pace import Pace
from scripta_gateway.telemetry.arrivals import Arrivals

_MOST_MARKED: Final = 512

_TOO_EARLY: Final = -math.inf
"""Arrival of what came from a client that was ahead of live speech."""


class Delivered(StrEnum):
    """Results that are timed."""

    FINAL = "final"
    FIRST_INTERIM = "first_interim"


class Untimed(StrEnum):
    """Why a final has no latency."""

    AHEAD = "ahead"
    """Its client sends faster than speech."""
    MISSED = "missed"
    """It came by reading the log and not by the doorbell."""
    UNKNOWN = "unknown"
    """What decided it arrived at another connection, or its transcriber did not say what it was."""
    KEPT = "kept"
    """It was not sent by itself, but in an answer with others."""


@dataclass(frozen=True, slots=True)
class Latency:
    """One latency in its parts, in seconds.

    Attributes:
        append: From the arrival until the log acknowledged it.
        queue: From there to the engine: delivery, segmenter, scheduler; or no transcriber.
        decode: Time of the engine.
        commit: From the first try to commit until the doorbell rang here.
        relay: From the doorbell until the result was sent.
    """

    append: float
    queue: float
    decode: float
    commit: float
    relay: float

    @property
    def total(self) -> float:
        """The whole."""
        return self.append + self.queue + self.decode + self.commit + self.relay


PARTS: Final = tuple(field.name for field in fields(Latency))


@dataclass(frozen=True, slots=True)
class _Mark:
    """A result on its way to the client."""

    arrived: float
    logged: float
    decode: float
    commit: float
    rang: float

    def sent(self, now: float) -> Latency:
        left = max(0.0, self.rang - self.arrived)
        decode = min(self.decode, left)
        commit = min(self.commit, left - decode)
        left -= decode + commit
        # The answer to the append may come behind the final.
        append = min(max(0.0, self.logged - self.arrived), left) if self.logged else left
        return Latency(append, left - append, decode, commit, now - max(self.rang, self.arrived))


class Stopwatch:
    """Times one session's results at one connection.

    Args:
        before: Last entry that an earlier connection wrote.
    """

    def __init__(self, before: int = 0) -> None:
        self.arrivals = Arrivals(before)
        self._pace = Pace()
        # Of finals by their index, and of the interim that is sent next.
        self._finals: dict[int, _Mark | Untimed] = {}
        self._interim: _Mark | None = None
        # Start of the segment whose first interim has been sent.
        self._told = -1.0

    def audio(self, last: int, arrived: float, seconds: float) -> None:
        """Takes audio of a message, which became the entries up to number ``last``."""
        self._pace.audio(arrived, seconds)
        self.control(last, arrived)

    def control(self, last: int, arrived: float) -> None:
        """Takes a boundary, which became entry number ``last``."""
        self.arrivals.enter(last, arrived if self._pace.is_live else _TOO_EARLY)

    def handled(self, now: float) -> None:
        """Records that the next message is read now."""
        self._pace.handled(now)

    def rang(
        self,
        results: Sequence[Recorded | Interim | Speech],
        origins: Sequence[Origin | None],
        rang: float,
        commit: float,
    ) -> None:
        """Takes committed results that came by the doorbell, while their entries are known.

        Args:
            results: What came.
            origins: What is known of each.
            rang: When it came.
            commit: Seconds that the commit had taken until then.
        """
        for result, origin in zip(results, origins, strict=False):
            if isinstance(result, FinalResult) and origin is not None:
                if len(self._finals) >= _MOST_MARKED:
                    return
                self._finals[result.index] = self._mark(origin.by, origin, rang, commit)

    def rang_interim(self, start: float, seq: int | None, origin: Origin, rang: float) -> None:
        """Takes an interim of the segment that starts in entry ``seq``, at ``start`` seconds."""
        mark: _Mark | Untimed = Untimed.UNKNOWN
        if start > self._told and seq is not None:
            mark = self._mark(seq, origin, rang, 0.0)
        self._interim = mark if isinstance(mark, _Mark) else None

    def sent(self, final: FinalResult, now: float) -> Latency | Untimed:
        """Records that a final has been sent; returns how late it was."""
        mark = self._finals.pop(final.index, Untimed.MISSED)
        return mark.sent(now) if isinstance(mark, _Mark) else mark

    def sent_interim(self, interim: Interim, now: float) -> Latency | None:
        """Records that an interim has been sent; returns how late its segment's first one was."""
        mark, self._interim = self._interim, None
        first, self._told = interim.start > self._told, max(self._told, interim.start)
        return mark.sent(now) if mark is not None and first else None

    def _mark(self, seq: int, origin: Origin, rang: float, commit: float) -> _Mark | Untimed:
        known = self.arrivals.of(seq)
        if known is None:
            return Untimed.UNKNOWN
        arrived, logged = known
        if arrived == _TOO_EARLY:
            return Untimed.AHEAD
        return _Mark(arrived, logged, origin.decode, commit, rang)
