"""What a session is expected to hear, from a first pass or a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from scripta_load.errors import BadOption
from scripta_load.words import Count, count_messages, count_words, words_of

ENDPOINT_MARGIN_SECONDS = 1.0
"""Audio behind a segment that surely has made the silence known that ended it."""

LONGEST_SEGMENT_SECONDS = 16.0
"""Audio from a segment's start by which one that is too long surely has been cut."""


@dataclass(frozen=True, slots=True)
class Final:
    """A final as the gateway sent it; positions are seconds of the session's audio."""

    index: int
    text: str
    start: float
    end: float
    reason: str

    @classmethod
    def of(cls, frame: dict[str, Any]) -> Self:
        """Returns it from its frame."""
        return cls(
            index=int(frame["index"]),
            text=str(frame["text"]),
            start=float(frame["start"]),
            end=float(frame["end"]),
            reason=str(frame["reason"]),
        )

    @property
    def decided_at(self) -> float:
        """Position of the audio by which the segment has surely been cut here."""
        if self.reason == "endpoint":
            return self.end + ENDPOINT_MARGIN_SECONDS
        if self.reason == "length":
            return self.start + LONGEST_SEGMENT_SECONDS
        return float("inf")


@dataclass(frozen=True, slots=True)
class Reference:
    """The finals of an unloaded pass over a session's audio, or only its words.

    Finals are a function of the audio: a session that is cut short must have heard the first
    ones, word for word, up to the last that was decided by then.

    Attributes:
        finals: Those of the pass; empty if there are only words.
        text: The words of the whole audio.
    """

    finals: tuple[Final, ...]
    text: str

    @classmethod
    def heard(cls, finals: Iterable[Final]) -> Self:
        """Returns the reference that a pass makes."""
        kept = tuple(finals)
        return cls(kept, " ".join(final.text for final in kept))

    @classmethod
    def read(cls, path: str) -> Self:
        """Returns the reference in a text file; raises ``BadOption``."""
        try:
            text = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadOption(f"The reference {path} can not be read: {error}") from None
        return cls((), text)

    @property
    def by_message(self) -> bool:
        """Whether the engine answers each message with a final, as the mock engine does."""
        return bool(self.finals) and all(final.reason == "message" for final in self.finals)

    def count(
        self, finals: Sequence[Final], *, whole: bool, seconds: float, messages: int
    ) -> Count:
        """Returns what became of the words of one session.

        Args:
            finals: What it heard.
            whole: Whether all audio was sent and the session came to its end.
            seconds: Audio that was accepted.
            messages: Messages that were accepted.
        """
        if self.by_message:
            return count_messages(messages, len(finals))
        if whole:
            return _compare(self.text, finals)
        known = 0
        for final in self.finals:
            if final.decided_at > seconds:
                break
            known += 1
        due = " ".join(final.text for final in self.finals[:known])
        return _compare(due, [final for final in finals if final.index <= known])


def _compare(text: str, finals: Sequence[Final]) -> Count:
    return count_words(words_of(text), words_of(" ".join(final.text for final in finals)))
