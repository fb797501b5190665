"""Makes short-lived tokens for callers with the scope ``tokens``, in the form that a path has."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from scripta_common.errors import ScriptaError
from scripta_gateway.access.caller import Caller, Scope
from scripta_gateway.access.gatekeeper import Gatekeeper
from scripta_gateway.access.minting import Mint, Minted, Wish
from scripta_gateway.rest.guard import Endpoint, guarded
from scripta_gateway.transports.base import Refusal
from scripta_gateway.transports.base import Request as Asked


class Form(Protocol):
    """The form in which tokens are asked for and answered."""

    def read(self, body: bytes) -> Wish:
        """Returns what is asked for; raises ``BadRequest`` that names a bad field."""
        ...

    def write(self, minted: Minted) -> bytes:
        """Returns the answer with a new token, as JSON."""
        ...

    def refuse(self, request: Asked, error: ScriptaError) -> Refusal:
        """Returns an error as an answer."""
        ...


def endpoint(form: Form, mint: Mint, gatekeeper: Gatekeeper) -> Endpoint:
    """Returns what answers a path.

    Args:
        form: The form of the path.
        mint: Makes the tokens.
        gatekeeper: Lets callers in.
    """

    async def answer(caller: Caller, request: Request) -> Response:
        # Cancelled while the body comes, nothing is left. Its size and its time are bounded by the
        # transport.
        try:
            wish = form.read(await request.body())
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        minted = replace(mint.mint(caller, wish, time.time()), session=secrets.token_hex(16))
        # What a proxy or a browser kept of this would be a key.
        headers = {"Cache-Control": "no-store"}
        return Response(form.write(minted), media_type="application/json", headers=headers)

    return guarded(answer, gatekeeper, Scope.TOKENS, form.refuse)
