"""Short-lived tokens, as ``/v1/tokens`` is asked for them and answers. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from scripta_common.errors import BadRequest, ScriptaError
from scripta_gateway.access.keyfile import Limits
from scripta_gateway.access.minting import Minted, Wish
from scripta_gateway.access.origins import OriginPattern
from scripta_gateway.bounds import TOKEN_SECONDS
from scripta_gateway.dialects.native import frames
from scripta_gateway.transports.base import Refusal, Request

_Names = tuple[Annotated[str, Meta(min_length=1, max_length=256)], ...]


class _Asked(Struct, frozen=True, forbid_unknown_fields=True):
    ttl_seconds: Annotated[int, Meta(ge=1, le=TOKEN_SECONDS)] = 60
    models: _Names = ()
    origins: _Names = ()
    limits: Limits = Limits()


class Tokens:
    """The form of ``/v1/tokens``."""

    def read(self, body: bytes) -> Wish:
        """Returns what is asked for; raises ``BadRequest`` that names a bad field."""
        try:
            asked = msgspec.json.decode(body or b"{}", type=_Asked)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadRequest(f"Not what a token can be: {error}") from None
        for origin in asked.origins:
            try:
                OriginPattern.parse(origin)
            except ValueError as error:
                raise BadRequest(f"Not what a token can be: {error} - at `$.origins`") from None
        return Wish(asked.ttl_seconds, asked.models, asked.origins, asked.limits.quota())

    def write(self, minted: Minted) -> bytes:
        """Returns the answer with a new token."""
        until = datetime.fromtimestamp(minted.expires_at, UTC)
        answer = {
            "token": minted.text,
            "expires_in": minted.expires_at - minted.issued_at,
            "expires_at": until,
        }
        return msgspec.json.encode(answer)

    def refuse(self, request: Request, error: ScriptaError) -> Refusal:
        """Returns the error in the form of an error frame."""
        return Refusal(error.http_status, frames.not_opened(error))
