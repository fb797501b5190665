"""Client secrets, in the forms of today and of the beta: tokens that bring a session. Pure.

The session of a client secret is how each call with it begins. Its client may change that by an
update, as with the vendor, but for the model: a secret of a session with a model of ours is for
that model alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from scripta_common.errors import ScriptaError
from scripta_gateway.access.minting import SHORT_LIVED, Minted, Wish
from scripta_gateway.bounds import TOKEN_SECONDS
from scripta_gateway.dialects.openai import errors
from scripta_gateway.dialects.openai.models import talks
from scripta_gateway.dialects.openai.sessions import Session
from scripta_gateway.transports.base import Refusal, Request

_NOTHING = Raw(b"{}")


class _Expiry(Struct, frozen=True):
    anchor: Literal["created_at"] = "created_at"
    seconds: Annotated[int, Meta(ge=10, le=TOKEN_SECONDS)] = 600


class _OfToday(Struct, frozen=True):
    expires_after: _Expiry | None = None
    session: Raw = _NOTHING


class _BetaSecret(Struct, frozen=True):
    expires_after: _Expiry | None = None
    expires_at: _Expiry | None = None


class _OfBeta(Struct, frozen=True):
    client_secret: _BetaSecret | None = None


class ClientSecrets:
    """One of the two forms.

    Args:
        own_name: Returns our name of a model; ``None`` for whatever serves.
        as_beta: Whether it is the beta's.
    """

    def __init__(self, own_name: Callable[[str | None], str | None], *, as_beta: bool) -> None:
        self._own_name = own_name
        self._as_beta = as_beta

    def read(self, body: bytes) -> Wish:
        """Returns what is asked for; raises ``BadField`` for what is not served."""
        expiry, update, inside = self._parts(body or b"{}")
        try:
            session = Session().updated(update)
        except (msgspec.DecodeError, RecursionError) as error:
            raise errors.bad_field(error, inside) from None
        model = session.transcription.model
        if talks(model):
            raise errors.BadField(
                f"{model!r} is not served: only transcription is", "audio.input.transcription.model"
            )
        own = self._own_name(model)
        models = () if own is None else (own,)
        return Wish(expiry.seconds, models, preset=session.preset)

    def _parts(self, body: bytes) -> tuple[_Expiry, bytes | Raw, str]:
        try:
            if not self._as_beta:
                asked = msgspec.json.decode(body, type=_OfToday)
                return asked.expires_after or _Expiry(), asked.session, "session"
            secret = msgspec.json.decode(body, type=_OfBeta).client_secret or _BetaSecret()
        except (msgspec.DecodeError, RecursionError) as error:
            raise errors.bad_field(error) from None
        return secret.expires_at or secret.expires_after or _Expiry(), body, ""

    def write(self, minted: Minted) -> bytes:
        """Returns the answer with a new secret."""
        session: dict[str, Any] = {
            "id": f"sess_{minted.session}",
            "object": "realtime.transcription_session",
            **Session.restored(minted.wish.preset).shown(as_beta=self._as_beta),
        }
        secret = {"value": SHORT_LIVED + minted.text, "expires_at": minted.expires_at}
        if self._as_beta:
            return msgspec.json.encode({**session, "client_secret": secret})
        return msgspec.json.encode({**secret, "session": session})

    def refuse(self, request: Request, error: ScriptaError) -> Refusal:
        """Returns the error in the vendor's form."""
        return errors.refusal(error)
