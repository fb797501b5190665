"""What an attacker was told: HTTP answers, errors, closing frames, or only the end of a socket."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_SPEAKING = frozenset({1002, 1003, 1007, 1008, 1009, 1010, 1012, 1013})
"""Close codes that say what was wrong by themselves."""
_TEXT_CHARS = 90
NO_ANSWER = "no answer"
"""How a request ends for which the attacker has waited long enough."""


@dataclass(slots=True)
class Told:
    """Counts what was heard, over all connections of an attacker.

    Attributes:
        reasons: Answers that say why, each with its number.
        ends: Connections that ended without a reason, by how.
        notes: What the attack itself wants to be seen in the table.
        served: Messages that were accepted.
    """

    reasons: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    served: int = 0

    def response(self, status: int, body: str) -> None:
        """Notes an HTTP response; one of success is service."""
        if status < 400:
            self.served += 1
        else:
            self.reasons[f"HTTP {status}: {_shorten(_error_in(body))}".rstrip(": ")] += 1

    def message(self, text: str) -> None:
        """Notes a text frame of the gateway."""
        try:
            frame = json.loads(text)
        except ValueError:
            return
        status = frame.get("status") if isinstance(frame, dict) else None
        if status == "error":
            self.reasons[_shorten(str(frame.get("error")))] += 1
        elif status == "received":
            self.served += 1

    def closed(self, code: int, reason: str) -> None:
        """Notes a closing frame."""
        said = f"close {code}: {_shorten(reason)}".rstrip(": ")
        if reason or code in _SPEAKING:
            self.reasons[said] += 1
        else:
            self.ends[said] += 1

    def ended(self, how: str) -> None:
        """Notes a connection that ended without a word."""
        self.ends[how] += 1

    def note(self, text: str) -> None:
        """Notes something for the table."""
        self.notes[text] += 1

    def as_json(self) -> dict[str, Any]:
        """Returns it for the way from the attacker's process to the suite's."""
        return {
            "reasons": dict(self.reasons),
            "ends": dict(self.ends),
            "notes": dict(self.notes),
            "served": self.served,
        }

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Told:
        """Returns what ``as_json`` made."""
        return cls(
            Counter(data["reasons"]), Counter(data["ends"]), Counter(data["notes"]), data["served"]
        )

    def summary(self, most: int = 3) -> str:
        """Returns the most frequent of it in a line."""
        parts = [_times(text, number) for text, number in self.notes.items()]
        parts += [_times(text, number) for text, number in self.reasons.most_common(most)]
        parts += [_times(text, number) for text, number in self.ends.most_common(2)]
        if self.served:
            parts.append(f"{self.served} served")
        return "; ".join(parts) or "nothing"


def _error_in(body: str) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return body
    if isinstance(found, dict):
        return str(found.get("error") or found.get("detail") or body)
    return body


def _shorten(text: str) -> str:
    plain = re.sub(r"\s+", " ", text).strip().replace("|", "/")
    return plain if len(plain) <= _TEXT_CHARS else plain[: _TEXT_CHARS - 1] + "…"


def _times(text: str, number: int) -> str:
    return text if number == 1 else f"{text} (x{number})"
