"""What a fault is, and the list of all: add yours to ``FAULTS``.

A fault is a small frozen dataclass with the attributes and the one method of ``Fault``. It does
its harm, undoes what a cluster or an operator would undo, and returns: bounded in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Protocol

from .sessions import Speak, speak
from .system import System


@dataclass(frozen=True, slots=True)
class Injection:
    """What was done.

    Attributes:
        what: In words.
        hit: Sessions that depend on what was harmed.
    """

    what: str
    hit: frozenset[str]


class Fault(Protocol):
    """One way in which a part of the system fails."""

    @property
    def name(self) -> str:
        """What stands in the table."""

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        """Does it, once; returns when the harm is done or over.

        Args:
            system: The running system.
            live: Sessions under way.
            rng: Source of every choice.
        """


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table.

    Attributes:
        key: Name on the command line.
        fault: What happens; ``None`` for nothing, which shows what the machine itself does.
        lasts: Seconds that it takes, so that it strikes early enough to pass in live speech.
        least_sessions: Sessions that it is to be seen with, at least.
        speak: The client. One whose gateway dies needs a client that comes back.
        may_close: Whether the fault takes the client's connection with it.
    """

    key: str
    fault: Fault | None
    lasts: float = 0.0
    least_sessions: int = 0
    speak: Speak = speak
    may_close: bool = False

    @property
    def name(self) -> str:
        """What stands in the table."""
        return self.fault.name if self.fault else "none"
