"""What the promise says of live sessions, as assertions on what they heard."""

from __future__ import annotations

from typing import Protocol

from .inside.orders import Interims, Kind
from .live import Action, Outcome


class Disturb(Protocol):
    """Does something under live sessions; returns what they heard."""

    def __call__(
        self, action: Action, *, kind: Kind = "plain", interims: Interims = "some"
    ) -> Outcome:
        """Runs it once."""


def assert_same_words(outcome: Outcome) -> None:
    """Every final is that of the undisturbed run, to the letter."""
    assert not outcome.differences, "\n".join(outcome.differences)
    assert (outcome.lost, outcome.doubled) == (0, 0), outcome.figures()
    assert outcome.finals, outcome.figures()


def assert_undisturbed(outcome: Outcome) -> None:
    """No word is lost or doubled, and no connection was closed."""
    assert_same_words(outcome)
    assert not outcome.closes, outcome.closes


def assert_resumed(outcome: Outcome, sessions: int) -> None:
    """Every session was told to come back, and none lost or doubled a word by it."""
    assert_same_words(outcome)
    assert len(outcome.closes) >= sessions, outcome.closes
    assert all("code 1012" in close for close in outcome.closes), outcome.closes
