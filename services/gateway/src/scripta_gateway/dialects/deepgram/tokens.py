"""Grants, the vendor's name for short-lived tokens. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from scripta_common.errors import BadRequest, ScriptaError
from scripta_gateway.access.minting import Minted, Wish
from scripta_gateway.dialects.deepgram import errors
from scripta_gateway.transports.base import Refusal, Request


class _Asked(Struct, frozen=True):
    ttl_seconds: Annotated[float, Meta(ge=1, le=3600)] | None = None


class Grants:
    """The form of ``/v1/auth/grant``."""

    def read(self, body: bytes) -> Wish:
        """Returns what is asked for; raises ``BadRequest``."""
        try:
            asked = msgspec.json.decode(body or b"{}", type=_Asked)
        except (msgspec.DecodeError, RecursionError):
            raise BadRequest("ttl_seconds has to be a number from 1 to 3600, in JSON.") from None
        return Wish(30 if asked.ttl_seconds is None else int(asked.ttl_seconds))

    def write(self, minted: Minted) -> bytes:
        """Returns the answer with a new token."""
        seconds = minted.expires_at - minted.issued_at
        return msgspec.json.encode({"access_token": minted.text, "expires_in": seconds})

    def refuse(self, request: Request, error: ScriptaError) -> Refusal:
        """Returns the error in the vendor's form."""
        return errors.refusal(request, error)
