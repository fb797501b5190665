"""Admission: whether a new session is taken, by which pool and model. Pure, no I/O, no clock.

A pool takes as many sessions as its transcribers have slots, and ``max_waiting`` more that wait
for one. The limit comes from what was last seen of the fleet; whether it is reached is for the
broker to say in the moment in which the session gets its place, so that gateways which admit at
the same time do not exceed it together.
"""

from __future__ import annotations

from dataclasses import dataclass

from scripta_common.errors import NoCapacity, UnknownModel, UnsupportedLanguage
from scripta_common.fleet import Fleet, Pool
from scripta_common.models import answering


@dataclass(frozen=True, slots=True)
class Place:
    """A place that a new session may have.

    Attributes:
        pool: Its pool.
        slots: Slots of that pool.
        waiting: Sessions that may wait there.
        model: Own name of the model that it has for all of its life; ``None`` where nobody has
            said yet which models that pool has.
    """

    pool: str
    slots: int
    waiting: int
    model: str | None = None

    @property
    def most(self) -> int:
        """Sessions that the pool may have."""
        return self.slots + self.waiting

    def refusal(self) -> NoCapacity:
        """Returns what a client is told for which no place is left."""
        if not self.slots:
            return NoCapacity(
                f'No transcriber of pool "{self.pool}" is ready and all {self.waiting} places in '
                "line are taken; try again later."
            )
        return NoCapacity(
            f'All {self.slots} slots of pool "{self.pool}" and all {self.waiting} places in line '
            "are taken; try again in some seconds."
        )


class Admission:
    """Decides about new sessions.

    Args:
        max_waiting: Sessions of a pool that may wait for a slot.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting

    def admit(self, fleet: Fleet, model: str | None, language: str | None = None) -> Place:
        """Returns the place that a session may have.

        Args:
            fleet: As it was last seen.
            model: The model it asks for; ``None`` for any.
            language: BCP-47 tag it asks for; ``None`` for any.

        Raises:
            UnknownModel: No pool has the model.
            UnsupportedLanguage: The model, or every one of the pool, does not speak the language.
            NoCapacity: Its pool is full, or nobody has said yet which models there are.
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
        own = None if found is None else found.own_name
        place = Place(pool.name, pool.slots, self._max_waiting, own)
        if pool.demand >= place.most:
            raise place.refusal()
        return place


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
