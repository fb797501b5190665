"""When a session's audio is due, and when it was sent."""

from __future__ import annotations

from math import ceil

LATE_SECONDS = 0.25
"""A chunk that goes later than this is late: what is measured by it says little."""


class Timeline:
    """The clock of one session; times are seconds of one monotonic clock.

    A chunk is due when its last sample would have been spoken. The schedule is fixed at the
    start: a chunk that goes late does not make the next one late.

    Lateness tells whether the load was what it claims to be: a busy load generator shows there,
    and so does a gateway that holds its clients back.

    Attributes:
        late: How many chunks went late.
        worst_lateness: Longest time from when a chunk was due to when it had been sent.
    """

    def __init__(self, started: float, chunk_seconds: float, pace: float) -> None:
        self._started = started
        self._chunk = chunk_seconds
        self._pace = pace
        self._sent: list[float] = []
        self.late = 0
        self.worst_lateness = 0.0

    @property
    def chunks(self) -> int:
        """How many chunks were sent."""
        return len(self._sent)

    @property
    def next_due(self) -> float:
        """When the next chunk is due."""
        return self._started + (len(self._sent) + 1) * self._chunk / self._pace

    def sent(self, now: float) -> None:
        """Notes that the next chunk has been sent."""
        lateness = now - self.next_due
        self.late += lateness > LATE_SECONDS
        self.worst_lateness = max(self.worst_lateness, lateness)
        self._sent.append(now)

    def sent_at(self, seconds: float) -> float:
        """Returns when the audio up to a position was sent; the last chunk's time if beyond it.

        At least one chunk must have been sent.
        """
        # Positions come rounded to a millisecond: one at a chunk's end is not in the next one.
        place = max(ceil(seconds / self._chunk - 1e-3) - 1, 0)
        return self._sent[min(place, len(self._sent) - 1)]
