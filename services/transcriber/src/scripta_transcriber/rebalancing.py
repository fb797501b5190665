"""Rebalancing: hands live sessions over to transcribers of the pool that have less to do.

A handoff loses nothing and costs a fraction of a second. So it is done seldom: only what two looks
at the pool find too much, never a session that has just come, and in a pause of its speech if there
is one soon.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, TypeVar

from scripta_common.sessionlog import Roster
from scripta_transcriber import balance

LOOK_SECONDS: Final = 1.0
"""Time between two looks at the pool."""
_STAY_SECONDS: Final = 5.0
"""How long a session stays at least: it has cost some time to come here."""
_PAUSE_SECONDS: Final = 2.0
"""How long a pause of anybody's speech is waited for."""


class Movable(Protocol):
    """A live session at work."""

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks at the moment."""

    @property
    def began(self) -> float:
        """When it came here, by the monotonic clock."""


T = TypeVar("T", bound=Movable)


class Rebalancing:
    """Decides which live sessions a transcriber hands over.

    Args:
        roster: Who is in the fleet.
        transcriber_id: The transcriber.
        pool: Its pool.

    Attributes:
        gives_way: Whether sessions in line are left to others first.
    """

    def __init__(self, roster: Roster, transcriber_id: str, pool: str) -> None:
        self.gives_way = False
        self._roster = roster
        self._id = transcriber_id
        self._pool = pool
        # What the last look found too much, and what the last two did.
        self._found = self._lasting = 0
        # Since when there has been something to hand over.
        self._since: float | None = None

    async def look(self) -> None:
        """Looks at the pool.

        Raises:
            BrokerUnavailable: The broker does not answer.
        """
        loads = balance.loads_of(await self._roster.observe(), self._pool)
        self.gives_way = balance.gives_way(self._id, loads)
        found = balance.surplus(self._id, loads)
        self._lasting, self._found = min(found, self._found), found
        if not self._lasting:
            self._since = None
        elif self._since is None:
            self._since = time.monotonic()

    def choose(self, live: Iterable[T]) -> Sequence[T]:
        """Returns which of the live sessions are handed over now.

        Args:
            live: All that are at work here.
        """
        now = time.monotonic()
        if self._since is None:
            return ()
        movable = sorted(
            (one for one in live if now - one.began >= _STAY_SECONDS),
            key=lambda one: (not one.quiet, one.began),
        )
        if now - self._since < _PAUSE_SECONDS:
            movable = [one for one in movable if one.quiet]
        chosen = movable[: self._lasting]
        if chosen:
            self._since = now  # for the next ones a pause is waited for, too
        return chosen
