"""Routing: the pool and the model that a new session gets. Pure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from scripta_common.errors import NoCapacity, UnknownModel, UnsupportedLanguage
from scripta_common.fleet import Fleet, Pool
from scripta_common.models import answering
from scripta_gateway.access.caller import ANONYMOUS, Caller


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


def route(
    fleet: Fleet, model: str | None, language: str | None = None, caller: Caller = ANONYMOUS
) -> Route:
    """Returns where a session goes; one that names no model gets one that its caller may use.

    Args:
        fleet: As it was last seen.
        model: The model it asks for; ``None`` for any.
        language: BCP-47 tag it asks for; ``None`` for any.
        caller: For whom it is.

    Raises:
        Forbidden: The caller may not use the model.
        UnknownModel: No pool has the model.
        UnsupportedLanguage: The model, or every one of the pool, does not speak the language.
        NoCapacity: Nobody has said yet which models there are.
    """
    if model is not None or not caller.models:
        found = _route(fleet, model, language)
        caller.check_model(found.model or model)
        return found
    *others, last = caller.models
    for own in others:
        with suppress(UnknownModel, UnsupportedLanguage):
            return _route(fleet, own, language)
    return _route(fleet, last, language)


def _route(fleet: Fleet, model: str | None, language: str | None) -> Route:
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
