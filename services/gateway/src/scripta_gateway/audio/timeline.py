"""Compares the times in a container with the audio that was decoded from it.

A track that was muted, packets that were lost and Opus that sends nothing in silence leave a gap
between two times. Times are compared with the sum of all audio so far and not with the packet
before, so that their jitter never adds up. Pure: no audio, no clock.
"""

from __future__ import annotations

from typing import Final as Constant

from scripta_gateway.bounds import MAX_GAP_SECONDS, MAX_SILENCE_RATIO

JITTER_SECONDS: Constant = 0.1
"""Recorders write times of arrival, and WebM rounds to milliseconds: less than this is no gap."""
_BACK_SECONDS: Constant = 1.0
"""A packet that is earlier than this belongs to a clock that was set back."""
_SURE_SECONDS: Constant = 1.0
"""Audio for which a clock must have been off before it counts as set: one time may be wrong."""


class Timeline:
    """The time of one track.

    The time of its first audio is the origin, whatever it is: live streams are joined late.

    Attributes:
        jumps: How often the track's clock jumped ahead further than silence may fill.
    """

    def __init__(self) -> None:
        self.jumps = 0
        self._origin: float | None = None
        self._decoded = 0.0
        self._silence = 0.0
        self._astray_since: float | None = None

    def add_audio(self, seconds: float) -> None:
        """Adds decoded audio."""
        self._decoded += seconds

    def add_silence(self, seconds: float) -> None:
        """Adds silence that stands for audio which is not there."""
        self._silence += seconds

    def gap_before(self, time: float) -> float:
        """Returns the seconds of silence that belong before audio of a time, 0 for none."""
        so_far = self._decoded + self._silence
        if self._origin is None:
            self._origin = time - so_far
        ahead = time - self._origin - so_far
        if ahead > JITTER_SECONDS and self._may_fill(ahead):
            self._astray_since = None
            return ahead
        if -_BACK_SECONDS <= ahead <= JITTER_SECONDS:
            self._astray_since = None
        elif self._astray_since is None:
            self._astray_since = self._decoded
        elif self._decoded - self._astray_since >= _SURE_SECONDS:
            self._astray_since = None
            self._origin = time - so_far
            self.jumps += ahead > 0
        return 0.0

    def _may_fill(self, seconds: float) -> bool:
        most = MAX_GAP_SECONDS + MAX_SILENCE_RATIO * self._decoded
        return seconds <= MAX_GAP_SECONDS and self._silence + seconds <= most
