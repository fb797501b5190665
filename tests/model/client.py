"""A client and what it is owed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from scripta_common.wire import Ended, Entry, Failed, Recorded

from .listening import Cutting, undisturbed

AGAIN: Final = "+"
"""Behind a session's id: it is the next of the same client."""


@dataclass
class Client:
    """One session's client: what it sent, what was accepted, what it was told.

    Attributes:
        sid: The session.
        cutting: What its segments are cut by.
        messages: Audio that it has sent or will send.
        accepted: Messages that it was told are accepted.
        told: Results that it was told, in order.
        wants_end: Whether it has asked for the end of its stream.
        gave_up: Why the session can not go on, once it was told so.
        excuse: Which copies were lost together; without one the session must not fail.
        history: Entries that the log has taken, by number, whatever it lost since.
        promised: How many of them it was told are accepted.
        ended_unheard: Whether its stream ended before there was anything to be heard.
    """

    sid: str
    cutting: Cutting
    messages: list[bytes] = field(default_factory=list)
    accepted: int = 0
    told: list[Recorded] = field(default_factory=list)
    wants_end: bool = False
    gave_up: str | None = None
    excuse: str | None = None
    history: list[Entry] = field(default_factory=list)
    promised: int = 0
    ended_unheard: bool = False
    _expected: list[Recorded] | None = None

    @property
    def index(self) -> int:
        """Last result that it has."""
        return len(self.told)

    @property
    def over(self) -> bool:
        """Whether nothing more will come: it has the last result, or it was told why not."""
        return self.gave_up is not None or (
            bool(self.told) and isinstance(self.told[-1], Ended | Failed)
        )

    def written(self, entry: Entry) -> None:
        """Notes an entry that the log has taken."""
        entry = replace(entry, accepted_ms=0, intake=type(entry.intake)())
        assert entry.seq <= len(self.history) + 1, f"{entry.seq} was taken behind a hole"
        if entry.seq <= len(self.history):
            if self.history[entry.seq - 1] == entry:
                return
            kept = entry.seq > self.promised
            assert kept or self.excuse, f"accepted entry {entry.seq} was replaced"
            self.promised = min(self.promised, entry.seq - 1)
            del self.history[entry.seq - 1 :]
        self.history.append(entry)
        self._expected = None

    @property
    def expected(self) -> list[Recorded]:
        """What the undisturbed session would tell it of what was accepted."""
        if self.ended_unheard:
            return [Ended(1, 0.0)]
        if self._expected is None:
            self._expected = undisturbed(self.cutting, self.history)
        return self._expected

    def begin_anew(self) -> bool:
        """Goes on in a new session, as nothing of the former was accepted or heard.

        Returns:
            Whether that is so.
        """
        if self.promised or self.told:
            return False
        self.sid += AGAIN
        self.history.clear()
        self._expected = None
        return True

    def tell(self, results: list[Recorded]) -> None:
        """Takes results; each must be the next that it is owed."""
        for result in results:
            owed = self.expected[len(self.told)] if self.index < len(self.expected) else None
            assert result == owed, f"told {result}, owed {owed}"
            self.told.append(result)

    def give_up(self, why: str) -> None:
        """Takes an error; only lost copies excuse one."""
        assert self.excuse, f"session failed for no reason: {why}"
        self.gave_up = why
