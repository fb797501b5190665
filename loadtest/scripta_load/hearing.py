"""What a session hears, and how long each of it took. Pure: frames in, measurements out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from scripta_load.reference import Final
from scripta_load.timeline import Timeline


class Measure(StrEnum):
    """A latency, by the name under which Locust shows it."""

    CONNECT = "connect"
    FIRST_INTERIM = "first interim"
    FINAL = "final"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One latency, in seconds."""

    measure: Measure
    seconds: float


class Hearing:
    """The receiving half of one session.

    Attributes:
        finals: Those that came.
        accepted: Messages that were acknowledged.
        disordered: Finals whose index was not the next one.
        refused: Messages that were refused.
        error: Why the session failed, as the gateway said it.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._interim_due = True
        self.finals: list[Final] = []
        self.accepted = 0
        self.disordered = 0
        self.refused = 0
        self.error = ""

    @property
    def answered(self) -> int:
        """Messages that were acknowledged or refused."""
        return self.accepted + self.refused

    def take(self, frame: dict[str, Any], now: float) -> Measurement | None:
        """Notes a frame that came at a time; returns what it measures."""
        status = frame["status"]
        if status == "received":
            self.accepted += 1
        elif status == "interim":
            return self._interim(frame, now)
        elif status == "transcript":
            return self._final(Final.of(frame), now)
        elif status == "error":
            self.error = f"{frame.get('code', 'refused')}: {frame['error']}"
            self.refused += "code" not in frame
        return None

    def _interim(self, frame: dict[str, Any], now: float) -> Measurement | None:
        if not self._interim_due or not frame["text"]:
            return None
        # The next one that counts is the first of the next segment.
        self._interim_due = False
        start = self._timeline.sent_at(float(frame["start"]))
        return Measurement(Measure.FIRST_INTERIM, now - start)

    def _final(self, final: Final, now: float) -> Measurement | None:
        self._interim_due = True
        self.disordered += final.index != len(self.finals) + 1
        self.finals.append(final)
        if not self._timeline.chunks:
            return None  # the empty final of a session that ended before it spoke
        return Measurement(Measure.FINAL, now - self._timeline.sent_at(final.end))
