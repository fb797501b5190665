"""What a load test adds up over its sessions, in one process or many."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from scripta_load.session import Report
from scripta_load.words import Count


@dataclass(slots=True)
class Tally:
    """Sums over sessions; sums of several processes add up.

    Attributes:
        completed: Sessions that ended as they should, whole or cut short by the test's end.
        finals: Finals of all sessions.
        words: What became of the words.
        uncounted: Sessions with no words to count: cut short, and there is only a text.
        broken: Connections that did not end or open as they should, by how.
        refused: Connections refused with 503.
        messages_refused: Messages that a gateway would not accept.
        disordered: Finals that were not the next one.
        errors: Sessions that ended by a fault of the load kit itself, or of what it was sent.
        sent: Messages of all sessions.
        late: Those of them that went late.
        worst_lateness: Longest delay of one, in seconds.
    """

    completed: int = 0
    finals: int = 0
    words: Count = field(default_factory=Count)
    uncounted: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    messages_refused: int = 0
    disordered: int = 0
    errors: int = 0
    sent: int = 0
    late: int = 0
    worst_lateness: float = 0.0

    def session(self, report: Report, words: Count | None) -> None:
        """Adds a session."""
        self.finals += len(report.finals)
        self.disordered += report.disordered
        self.messages_refused += report.refused
        self.sent += report.sent
        self.late += report.late
        self.worst_lateness = max(self.worst_lateness, report.worst_lateness)
        if report.broken:
            self.broken[report.broken] += 1
        else:
            self.completed += 1
        if words is None:
            self.uncounted += 1
        else:
            self.words += words

    def failed_to_connect(self) -> None:
        """Adds a connection that did not open, and was not refused with 503."""
        self.broken["not opened"] += 1

    def add(self, other: Tally) -> None:
        """Adds the sums of another process."""
        self.completed += other.completed
        self.finals += other.finals
        self.words += other.words
        self.uncounted += other.uncounted
        self.broken.update(other.broken)
        self.refused += other.refused
        self.messages_refused += other.messages_refused
        self.disordered += other.disordered
        self.errors += other.errors
        self.sent += other.sent
        self.late += other.late
        self.worst_lateness = max(self.worst_lateness, other.worst_lateness)

    def plain(self) -> dict[str, Any]:
        """Returns it as plain values, for the way between processes."""
        # Copied as it is: `asdict` takes a counter apart.
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return own | {"words": asdict(self.words), "broken": dict(self.broken)}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Self:
        """Returns it from plain values."""
        words, broken = Count(**plain["words"]), Counter(plain["broken"])
        return cls(**plain | {"words": words, "broken": broken})
