"""The fleet: which transcribers there are, in which pools, and how much is asked of them. Pure.

All transcribers of a pool run the same models. A session belongs to one pool, and to one model of
it, for all of its life. Transcribers say what they offer; gateways say who waits at them without
being in a pool's line.
Times are the broker's, in Unix milliseconds: no process's own clock is asked who is alive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from scripta_common.keys import DEFAULT_POOL
from scripta_common.models import Model, choose, common

ANNOUNCE_SECONDS: Final = 1.0
"""How often a transcriber says that it is there."""

ALIVE_MS: Final = 5_000
"""A transcriber or a gateway that has said nothing for longer is taken for dead."""

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
        slots: Live sessions it serves at a time; 0 while it loads its models or drains.
        at: When it said so.
        served: Its models, the preferred ones first; empty from a version that runs just one.
        finished: Live sessions that have left a slot free for good since its start.
        meters: Whether it counts what sessions use; not one of an older version.
        uploads: Uploads that it serves now: each lends its slot to a live session. An older version
            lends none.
    """

    pool: str
    models: tuple[str, ...]
    languages: tuple[str, ...]
    slots: int
    at: int = 0
    served: tuple[Model, ...] = ()
    finished: int = 0
    meters: bool = False
    uploads: int = 0

    @property
    def offer(self) -> tuple[Model, ...]:
        """Its models, whatever its version."""
        alone = (Model(self.models, self.languages),) if self.models else ()
        return self.served or alone

    def offers_as(self, other: Member) -> bool:
        """Returns whether it says the same as another, but for how many sessions have finished."""
        return msgspec.structs.replace(self, finished=other.finished) == other


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """What a tenant has of a pool, and what it waits for.

    Attributes:
        served: Its sessions in the pool's line.
        uploads: Its uploads that wait for a slot.
        since: When the oldest of these began to wait; 0 if none does.
        turned_away: Its live clients that were refused a moment ago and probably come back.
        share: Part of the slots that it may have while others wait.
        last: When a session of it last went in line; 0 if that is long ago.
    """

    served: int = 0
    uploads: int = 0
    since: int = 0
    turned_away: int = 0
    share: float = 1.0
    last: int = 0

    @property
    def waiting(self) -> int:
        """Its clients that want to be heard and are in no line."""
        return self.uploads + self.turned_away


class Wish(msgspec.Struct, frozen=True):
    """What a gateway says of clients that want to be heard and are in no line, by pool.

    Attributes:
        gateway: The gateway; empty from an older version.
        tenants: How its tenants stand, by name, in pools where somebody waits.
        uploads: Uploads that have sent audio and wait for a slot.
        turned_away: Live clients that were refused lately and have probably not given up.
        at: When it said so.
    """

    uploads: Mapping[str, int] = {}
    turned_away: Mapping[str, int] = {}
    at: int = 0
    gateway: str = ""
    tenants: Mapping[str, Mapping[str, Standing]] = {}


@dataclass(frozen=True, slots=True)
class Roll:
    """Who has announced itself.

    Attributes:
        members: Transcribers that are alive, by id.
        last: The last that was said in each pool that is remembered.
        wishes: What the gateways say that are alive.
    """

    members: Mapping[str, Member]
    last: Mapping[str, Member]
    wishes: tuple[Wish, ...] = ()

    @classmethod
    def call(
        cls,
        now: int,
        members: Mapping[str, Member],
        last: Mapping[str, Member],
        before: Mapping[str, Member],
        wishes: Iterable[Wish] = (),
    ) -> Roll:
        """Returns who counts now.

        Args:
            now: The broker's time.
            members: All transcribers that are written down.
            last: The last word of each pool that is written down.
            before: ``last`` of the roll before: a broker that comes back empty does not know it.
            wishes: What is written down of all gateways.
        """
        alive = {name: one for name, one in members.items() if now - one.at <= ALIVE_MS}
        merged = {**before, **last}
        known = {pool: one for pool, one in merged.items() if now - one.at <= REMEMBER_MS}
        return cls(alive, known, tuple(one for one in wishes if now - one.at <= ALIVE_MS))

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
        slots: Live sessions they serve at a time.
        lent: Slots of uploads, which live sessions may have at the same time.
        sessions: Sessions in its line, those that are leased included.
        leased: Those of them that a transcriber alive has leased.
        leases: How many of them each transcriber alive has leased.
        uploads: Uploads that wait outside of the line.
        turned_away: Live clients that were refused lately and have probably not given up.
        finished: Live sessions that each transcriber alive has finished since its start.
        unmetered: Transcribers alive that do not count what sessions use.
        standings: How tenants stand at each gateway that knows of somebody who waits.
    """

    name: str
    served: tuple[Model, ...] = ()
    transcribers: int = 0
    slots: int = 0
    lent: int = 0
    sessions: int = 0
    leased: int = 0
    leases: Mapping[str, int] = field(default_factory=dict)
    uploads: int = 0
    turned_away: int = 0
    finished: Mapping[str, int] = field(default_factory=dict)
    unmetered: int = 0
    standings: Mapping[str, Mapping[str, Standing]] = field(default_factory=dict)

    @property
    def waiting(self) -> int:
        """Sessions that nobody serves: new ones, uploads, and those whose transcriber has died."""
        return self.sessions - self.leased + self.uploads

    @property
    def demand(self) -> int:
        """All who want to be heard: what the pool's slots are wanted for."""
        return self.sessions + self.uploads + self.turned_away

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

    def serving(self, pool: str, model: str | None) -> Model | None:
        """Returns what is known of a session's model, by its pool and its own name."""
        served = self.pools[pool].served if pool in self.pools else ()
        return next((one for one in served if one.own_name == model), None)

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
    leases = {key: line.leases.get(key, 0) for key in members}
    slots = sum(one.slots for one in members.values())
    turned_away = sum(wish.turned_away.get(name, 0) for wish in roll.wishes)
    return Pool(
        name=name,
        served=common([one.offer for one in deciding]),
        transcribers=len(members),
        slots=slots,
        lent=min(slots, line.sessions, sum(one.uploads for one in members.values())),
        sessions=line.sessions,
        leased=min(sum(leases.values()), line.sessions),
        leases=leases,
        uploads=sum(wish.uploads.get(name, 0) for wish in roll.wishes),
        # Nobody knows whether they would have spoken: at most they double a pool at a time.
        turned_away=min(turned_away, max(1, slots)),
        finished={key: one.finished for key, one in members.items()},
        unmetered=sum(not one.meters for one in members.values()),
        standings={
            wish.gateway: wish.tenants[name] for wish in roll.wishes if name in wish.tenants
        },
    )


def _reluctance(pool: Pool) -> tuple[bool, int, bool, str]:
    return (
        not pool.transcribers,
        pool.demand - pool.slots,
        pool.name != DEFAULT_POOL,
        pool.name,
    )
