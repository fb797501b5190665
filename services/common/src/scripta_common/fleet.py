"""The fleet: which transcribers there are, in which pools, and how much is asked of them. Pure.

All transcribers of a pool run the same engine. A session belongs to one pool for all of its life.
Times are the broker's, in Unix milliseconds: no process's own clock is asked who is alive.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from scripta_common.keys import DEFAULT_POOL

ANNOUNCE_SECONDS: Final = 1.0
"""How often a transcriber says that it is there."""

ALIVE_MS: Final = 5_000
"""A transcriber that has said nothing for longer is taken for dead."""

REMEMBER_MS: Final = 24 * 3600 * 1000
"""How long a pool is known after its last transcriber has gone: sessions may wait for it."""

POOL_PATTERN: Final = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"
"""What a pool may be called."""


class Member(msgspec.Struct, frozen=True):
    """What a transcriber says of itself.

    Attributes:
        pool: The pool whose sessions it serves.
        models: Names by which clients may ask for its model.
        languages: BCP-47 primary tags it transcribes; empty for any.
        slots: Sessions it serves at a time; 0 while it loads its model or drains.
        at: When it said so.
    """

    pool: str
    models: tuple[str, ...]
    languages: tuple[str, ...]
    slots: int
    at: int = 0


@dataclass(frozen=True, slots=True)
class Roll:
    """Who has announced itself.

    Attributes:
        members: Transcribers that are alive, by id.
        last: The last that was said in each pool that is remembered.
    """

    members: Mapping[str, Member]
    last: Mapping[str, Member]

    @classmethod
    def call(
        cls,
        now: int,
        members: Mapping[str, Member],
        last: Mapping[str, Member],
        before: Mapping[str, Member],
    ) -> Roll:
        """Returns who counts now.

        Args:
            now: The broker's time.
            members: All transcribers that are written down.
            last: The last word of each pool that is written down.
            before: ``last`` of the roll before: a broker that comes back empty does not know it.
        """
        alive = {name: one for name, one in members.items() if now - one.at <= ALIVE_MS}
        merged = {**before, **last}
        known = {pool: one for pool, one in merged.items() if now - one.at <= REMEMBER_MS}
        return cls(alive, known)

    @property
    def pools(self) -> set[str]:
        """All pools that there are; the default one always is."""
        return {DEFAULT_POOL, *self.last, *(one.pool for one in self.members.values())}


@dataclass(frozen=True, slots=True)
class Line:
    """A pool's assignment stream.

    Attributes:
        sessions: Sessions of the pool: an entry stays until its session needs nobody any more.
        leases: How many of them each transcriber has leased, alive or not.
    """

    sessions: int = 0
    leases: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool and what is asked of it.

    Attributes:
        name: Its name.
        models: Names by which clients may ask for its model.
        languages: BCP-47 primary tags that all of them transcribe; empty for any.
        transcribers: How many are alive.
        slots: Sessions they serve at a time.
        demand: Sessions that it has.
        leased: Those of them that a transcriber alive has leased.
    """

    name: str
    models: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    transcribers: int = 0
    slots: int = 0
    demand: int = 0
    leased: int = 0

    @property
    def waiting(self) -> int:
        """Sessions that nobody serves: new ones, and those whose transcriber has died."""
        return self.demand - self.leased

    def speaks(self, tag: str) -> bool:
        """Returns whether its transcribers can be asked for the language of a BCP-47 tag."""
        return speaks(self.languages, tag)


@dataclass(frozen=True, slots=True)
class Fleet:
    """All pools, as they were seen at one moment.

    Attributes:
        pools: Pools by name.
        roll: Who has announced itself.
    """

    pools: Mapping[str, Pool]
    roll: Roll

    @classmethod
    def muster(cls, roll: Roll, lines: Mapping[str, Line]) -> Fleet:
        """Returns the fleet of those who are there and the lines of their pools."""
        return cls({name: _pool(name, roll, lines.get(name, Line())) for name in roll.pools}, roll)

    @property
    def models(self) -> list[str]:
        """All models that can be asked for."""
        return sorted(set().union(*(pool.models for pool in self.pools.values())))

    def route(self, model: str | None) -> Pool:
        """Returns the pool for a session that asks for a model, or for none.

        Of several that have it, one with transcribers, and of those the least busy.

        Raises:
            LookupError: No pool has that model.
        """
        if model is None:
            return self.pools[DEFAULT_POOL]
        fitting = [pool for pool in self.pools.values() if model in pool.models]
        if not fitting:
            raise LookupError(model)
        return min(fitting, key=_reluctance)


def speaks(languages: Collection[str], tag: str) -> bool:
    """Returns whether primary tags include the language of a BCP-47 tag; none stand for any."""
    return not languages or tag.partition("-")[0].lower() in languages


def _pool(name: str, roll: Roll, line: Line) -> Pool:
    members = {key: one for key, one in roll.members.items() if one.pool == name}
    said = list(members.values()) or [one for pool, one in roll.last.items() if pool == name]
    leased = sum(count for key, count in line.leases.items() if key in members)
    return Pool(
        name=name,
        models=frozenset().union(*(one.models for one in said)),
        languages=_shared([one.languages for one in said if one.languages]),
        transcribers=len(members),
        slots=sum(one.slots for one in members.values()),
        demand=line.sessions,
        leased=min(leased, line.sessions),
    )


def _shared(languages: Sequence[Collection[str]]) -> frozenset[str]:
    first, *others = languages or [()]
    return frozenset(first).intersection(*others)


def _reluctance(pool: Pool) -> tuple[bool, int, bool, str]:
    return (
        not pool.transcribers,
        pool.demand - pool.slots,
        pool.name != DEFAULT_POOL,
        pool.name,
    )
