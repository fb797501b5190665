"""A model under live speech: how late words are for one session, and how many one core follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from deck import Piece
from report import LEVEL_HEAD, level_row
from rig import Level, rig
from search import Bar, most_sustained

SPARE = 0.85
"""Share of a core's time that sessions may take: the rest is for whatever comes at once."""

PATIENCE = 2.0
"""Finals may take so many times as long as those of one session, where that is more than …"""
FINAL_SECONDS = 0.5
"""… what a model that answers at once keeps."""


@dataclass(frozen=True, slots=True)
class Speech:
    """What sessions say.

    Attributes:
        engine: Name of the engine.
        model: Its ``MODEL``.
        language: What they ask for.
        pieces: Recordings and what is to be heard of them.
    """

    engine: str
    model: str
    language: str
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Followed:
    """How many sessions one core follows.

    Attributes:
        sessions: The number; 0 if not even one is.
        final: Seconds within which 95 of 100 finals were to come.
        disturbed: Whether other work had the core meanwhile: it follows more.
    """

    sessions: int
    final: float
    disturbed: bool


async def alone(speech: Speech, seconds: float) -> Level:
    """Returns what one live session sees."""
    async with rig(1, engine=speech.engine, model=speech.model, language=speech.language) as system:
        return await system.level(cycle(speech.pieces), 1, seconds)


async def followed(speech: Speech, start: float, late: float, seconds: float) -> Followed:
    """Returns how many live sessions one core follows, by trying.

    Args:
        speech: What they say.
        start: About how many they will be.
        late: Seconds within which 95 of 100 finals come to one session.
        seconds: For each number of sessions.
    """
    interims = any(due.interims for piece in speech.pieces for due in piece.dues)
    bar = Bar(max(FINAL_SECONDS, PATIENCE * late), 0.9 if interims else 0.0)
    deck = cycle(speech.pieces)
    disturbed = False
    print(LEVEL_HEAD)
    async with rig(1, engine=speech.engine, model=speech.model, language=speech.language) as system:

        async def measure(sessions: int) -> Level:
            level = await system.level(deck, sessions, seconds)
            print(level_row(level), flush=True)
            nonlocal disturbed
            disturbed |= level.disturbed
            return level

        found = await most_sustained(measure, bar, max(1, round(start)))
    return Followed(found.sessions if found else 0, bar.final, disturbed)
