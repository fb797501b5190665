"""The fleet: which transcribers there are, in which pools, and how much is asked of them. Pure.

All transcribers of a pool run the same models. A session belongs to one pool, and to one model of
it, for all of its life.
Times are the broker's, in Unix milliseconds: no process's own clock is asked who is alive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from scripta_common.keys import DEFAULT_POOL
from scripta_common.models import Model, choose, common

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
        models: Names by which clients may ask for its models.
        languages: BCP-47 primary tags that one of them transcribes; empty for any.
        slots: Sessions it serves at a time; 0 while it loads its models or drains.
        at: When it said so.
        served: Its models, the preferred ones first; empty from a version that runs just one.
    """

    pool: str
    models: tuple[str, ...]
    languages: tuple[str, ...]
    slots: int
    at: int = 0
    served: tuple[Model, ...] = ()

    @property
    def offer(self) -> tuple[Model, ...]:
        """Its models, whatever its version."""
        alone = (Model(self.models, self.languages),) if self.models else ()
        return self.served or alone


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
        served: Models that its sessions may have, the preferred ones first.
        transcribers: How many are alive.
        slots: Sessions they serve at a time.
        demand: Sessions that it has.
        leased: Those of them that a transcriber alive has leased.
    """

    name: str
    served: tuple[Model, ...] = ()
    transcribers: int = 0
    slots: int = 0
    demand: int = 0
    leased: int = 0

    @property
    def waiting(self) -> int:
        """Sessions that nobody serves: new ones, and those whose transcriber has died."""
        return self.demand - self.leased

    @property
    def models(self) -> frozenset[str]:
        """Names by which clients may ask for its models."""
        return frozenset(name for model in self.served for name in model.names)


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

    def route(self, model: str | None, language: str | None = None) -> tuple[Pool, Model | None]:
        """Returns the pool and the model for a session.

        Who names no model gets the default pool; of several pools that have what is named, one
        whose model speaks the language, then one with transcribers, then the least busy.

        Args:
            model: The model it asks for; ``None`` for any.
            language: BCP-47 tag it asks for; ``None`` for any.

        Returns:
            The pool, and of its models the one that is asked for; ``None`` if nobody has said yet
            which there are. It may not speak the language, if none there does.

        Raises:
            LookupError: No pool has that model.
        """
        if model is None:
            pool = self.pools[DEFAULT_POOL]
            return pool, choose(pool.served, None, language)
        routes = [
            (pool, found)
            for pool in self.pools.values()
            if (found := choose(pool.served, model, language)) is not None
        ]
        if not routes:
            raise LookupError(model)

        def rank(route: tuple[Pool, Model]) -> tuple[bool, bool, int, bool, str]:
            pool, found = route
            return not (language is None or found.speaks(language)), *_reluctance(pool)

        return min(routes, key=rank)


def _pool(name: str, roll: Roll, line: Line) -> Pool:
    members = {key: one for key, one in sorted(roll.members.items()) if one.pool == name}
    said = list(members.values()) or [one for pool, one in roll.last.items() if pool == name]
    # Who loads or drains takes no session.
    taking = [one for one in said if one.slots] or said
    # Versions that run just one model give it to any session that they get.
    deciding = [one for one in taking if not one.served] or taking
    leased = sum(count for key, count in line.leases.items() if key in members)
    return Pool(
        name=name,
        served=common([one.offer for one in deciding]),
        transcribers=len(members),
        slots=sum(one.slots for one in members.values()),
        demand=line.sessions,
        leased=min(leased, line.sessions),
    )


def _reluctance(pool: Pool) -> tuple[bool, int, bool, str]:
    return (
        not pool.transcribers,
        pool.demand - pool.slots,
        pool.name != DEFAULT_POOL,
        pool.name,
    )
