"""The list of models that a caller may use, on the paths where other vendors have theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response

from scripta_common.errors import BrokerUnavailable, ScriptaError
from scripta_common.models import Model, agreed, answering
from scripta_gateway.access.caller import Caller, Scope
from scripta_gateway.calls.tools import Tools
from scripta_gateway.rest.guard import Endpoint, guarded
from scripta_gateway.transports.base import Refusal
from scripta_gateway.transports.base import Request as Asked

_SEEN_SECONDS: Final = 1.0
PATHS: Final = ("/v1/models", "/v1/models/{name:path}")


class Listing(Protocol):
    """The form in which models are listed; a vendor's."""

    def models(self, own: Mapping[str, Model]) -> Refusal:
        """Returns the answer that names all models.

        Args:
            own: By each name that can be asked for, what is known of the models it stands for.
        """
        ...

    def model(self, own: Mapping[str, Model], name: str) -> Refusal:
        """Returns the answer about one model, or that there is none of that name."""
        ...

    def refuse(self, request: Asked, error: ScriptaError) -> Refusal:
        """Returns an error as an answer."""
        ...


def endpoint(listing: Listing, tools: Tools, set_by_operator: Mapping[str, str]) -> Endpoint:
    """Returns what answers both paths.

    Args:
        listing: The form of the answers.
        tools: What calls work with; they know the fleet.
        set_by_operator: Own name of a model by the name that clients use.
    """
    answer = partial(_answer, listing, tools, set_by_operator)
    return guarded(answer, tools.gatekeeper, Scope.TRANSCRIBE, listing.refuse)


async def _answer(
    listing: Listing,
    tools: Tools,
    set_by_operator: Mapping[str, str],
    caller: Caller,
    request: Request,
) -> Response:
    fleet = tools.hub.fleet
    try:
        async with asyncio.timeout(_SEEN_SECONDS):
            await fleet.wait_known()
    except TimeoutError:
        raise BrokerUnavailable from None
    served = [model for pool in fleet.known.pools.values() for model in pool.served]
    allowed = [model for model in served if caller.may_use(model.own_name)]
    own = {name: _standing_for(allowed, name) for model in allowed for name in model.names}
    own |= {
        name: _standing_for(allowed, is_for)
        for name, is_for in set_by_operator.items()
        if caller.may_use(is_for)
    }
    name = request.path_params.get("name")
    shown = listing.models(own) if name is None else listing.model(own, name)
    return Response(shown.body, shown.status, media_type=shown.media_type)


def _standing_for(served: Sequence[Model], name: str) -> Model:
    """Returns what is known of all models that a name may stand for."""
    models = answering(served, name)
    known = {tag for model in models for tag in model.languages}
    return Model(
        (name,),
        tuple(sorted(known)) if all(model.languages for model in models) else (),
        agreed(model.interims for model in models),
        agreed(model.word_times for model in models),
        agreed(model.keyterms for model in models),
    )
