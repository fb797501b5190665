"""Admission: which pool and model a new session gets, and how many a pool takes. Pure.

A live session is taken while a slot is free for it, or while so many slots are expected to come
free within a stated time. An upload can wait: it gets a slot that no live session waits for, and
so many uploads may wait as is set. The slot of an upload counts as free for a live session: both
are served, and the upload is decoded in the time that live sessions leave. Nothing here knows who
holds a place: the figures come from what was last seen of the fleet, and the broker decides when a
session goes in line.
"""

from __future__ import annotations

from dataclasses import dataclass

from scripta_common.errors import NoCapacity, UnknownModel, UnsupportedLanguage
from scripta_common.fleet import Fleet, Pool
from scripta_common.models import answering


@dataclass(frozen=True, slots=True)
class Route:
    """Where a session goes.

    Attributes:
        pool: Its pool.
        model: Own name of the model that it has for all of its life; ``None`` where nobody has
            said yet which models that pool has.
    """

    pool: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """How long and how many may wait.

    Attributes:
        live_wait: Seconds within which a live session has to be served, or it is refused.
        max_uploads: Uploads of a pool that may wait for a slot.
    """

    live_wait: float
    max_uploads: int

    def most_live(self, pool: Pool, coming: int) -> int:
        """Returns how many sessions a pool's line may have when a live one joins it.

        Args:
            pool: As it was last seen.
            coming: Slots that are expected to come free within ``live_wait`` seconds.
        """
        return pool.slots + pool.lent + min(coming, pool.slots)

    def most_uploads(self, pool: Pool, sessions: int) -> int:
        """Returns how many uploads may wait, those included that have a slot in prospect.

        Args:
            pool: As it was last seen.
            sessions: Sessions that have, or are about to have, its slots.
        """
        return max(0, pool.slots - sessions) + self.max_uploads

    def refusal(self, pool: Pool, *, upload: bool) -> NoCapacity:
        """Returns what a client is told for which there is no place."""
        if upload:
            waiting = "no upload may wait"
            if self.max_uploads:
                waiting = f"{self.max_uploads} uploads wait already"
            return NoCapacity(
                f'All {pool.slots} slots of pool "{pool.name}" are taken and {waiting}; '
                "try again later."
            )
        if not pool.slots:
            return NoCapacity(
                f'No transcriber of pool "{pool.name}" is ready; try again in some seconds.'
            )
        soon = f" and none is expected to come free within {self.live_wait:g} s"
        return NoCapacity(
            f'All {pool.slots} slots of pool "{pool.name}" are taken'
            f"{soon if self.live_wait else ''}; try again in some seconds."
        )


def route(fleet: Fleet, model: str | None, language: str | None = None) -> Route:
    """Returns where a session goes.

    Args:
        fleet: As it was last seen.
        model: The model it asks for; ``None`` for any.
        language: BCP-47 tag it asks for; ``None`` for any.

    Raises:
        UnknownModel: No pool has the model.
        UnsupportedLanguage: The model, or every one of the pool, does not speak the language.
        NoCapacity: Nobody has said yet which models there are.
    """
    try:
        pool, found = fleet.route(model, language)
    except LookupError:
        known = ", ".join(fleet.models)
        if not known:
            raise NoCapacity(
                "No transcriber has said yet which models there are; try again later."
            ) from None
        raise UnknownModel(f'There is no model "{model}" here (known: {known})') from None
    if language is not None and found is not None and not found.speaks(language):
        raise _unsupported(language, model, pool, fleet)
    return Route(pool.name, None if found is None else found.own_name)


def _unsupported(language: str, model: str | None, pool: Pool, fleet: Fleet) -> UnsupportedLanguage:
    who = f'Pool "{pool.name}"' if model is None else f'Model "{model}"'
    asked = answering(pool.served, model)
    known = ", ".join(sorted({tag for one in asked for tag in one.languages}))
    able = [one for every in fleet.pools.values() for one in every.served if one.speaks(language)]
    models = ", ".join(sorted({name for one in able for name in one.names}))
    elsewhere = f"; these models do: {models}" if models else ""
    return UnsupportedLanguage(
        f'{who} does not speak the language "{language}" (it speaks: {known}){elsewhere}'
    )
