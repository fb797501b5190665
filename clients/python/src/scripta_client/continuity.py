"""One numbering and one audio clock over the connections and sessions of a stream."""

from __future__ import annotations

from dataclasses import replace

from scripta_client.errors import ProtocolViolation
from scripta_client.events import Ended, Final, Interim


class Continuity:
    """Puts the results of one session behind those of the former, each once and in order.

    Attributes:
        last_index: Index of the last final that was handed out.
        heard: End of the last final, in seconds.
    """

    def __init__(self) -> None:
        self.last_index = 0
        self.heard = 0.0
        # What the present session's indexes and times lack.
        self._index_offset = 0
        self._time_offset = 0.0

    @property
    def session_index(self) -> int:
        """The last index as the present session counts."""
        return self.last_index - self._index_offset

    def final(self, final: Final) -> Final | None:
        """Returns a final in its place; ``None`` if it was there before.

        Raises:
            ProtocolViolation: If one before it is missing.
        """
        index = final.index + self._index_offset
        if index <= self.last_index:
            return None
        if index != self.last_index + 1:
            raise ProtocolViolation(f"final {index} follows final {self.last_index}")
        self.last_index = index
        final = replace(final.shifted(self._time_offset), index=index)
        self.heard = max(self.heard, final.end)
        return final

    def interim(self, interim: Interim) -> Interim | None:
        """Returns an interim in its place; ``None`` if a final covers it."""
        interim = interim.shifted(self._time_offset)
        return interim if interim.end > self.heard else None

    def ended(self, ended: Ended) -> Ended:
        """Returns the end of the stream, with all its seconds."""
        if ended.duration is None:
            return ended
        return Ended(ended.duration + self._time_offset)

    def start_over(self, seconds: float) -> None:
        """Lets a new session begin at that time of the stream."""
        self._index_offset = self.last_index
        self._time_offset = seconds
