"""Answers requests of known callers only; who is refused hears it in the dialect of the path."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

import starlette.requests
from starlette.responses import Response

from scripta_common.errors import ScriptaError
from scripta_gateway.access.caller import Caller, Scope
from scripta_gateway.access.gatekeeper import Gatekeeper
from scripta_gateway.calls.refusal import response_of, retry_after
from scripta_gateway.transports import body
from scripta_gateway.transports.base import Refusal, Request

Answer = Callable[[Caller, starlette.requests.Request], Awaitable[Response]]
"""Answers a request; may raise a ``ScriptaError``."""

Refuse = Callable[[Request, ScriptaError], Refusal]
"""Returns an error as an answer."""

Endpoint = Callable[[starlette.requests.Request], Awaitable[Response]]


def guarded(answer: Answer, gatekeeper: Gatekeeper, scope: Scope, refuse: Refuse) -> Endpoint:
    """Returns a route's endpoint that lets in who may do what the route does.

    Args:
        answer: Answers those that are let in.
        gatekeeper: Lets them in.
        scope: What the route does.
        refuse: Returns the answer to the others.
    """

    async def endpoint(http: starlette.requests.Request) -> Response:
        request = body.request_of(http.scope, secrets.token_hex(16))
        try:
            caller, _ = await gatekeeper.admit(request, scope)
            return await answer(caller, http)
        except ScriptaError as error:
            refusal = refuse(request, error)
            return response_of(refusal, request.id, {}, retry_after=retry_after(error))

    return endpoint
