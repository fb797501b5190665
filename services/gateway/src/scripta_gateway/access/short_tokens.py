"""Short-lived tokens, which whoever holds a key makes for browsers and phones.

A token is a JWT that is signed with a secret of the key file. So every gateway that reads the file
knows it without asking anybody. It names the key that it was made with, and is worth no more than
that key is at the time: it ends with the key, and when the tenant's tokens are revoked.

A session outlives the token that it was opened with, or long calls would need many. It ends when
the key goes, or the tenant's tokens are revoked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any, Final

import jwt
import msgspec
from msgspec import Meta

from scripta_common.errors import BadRequest, Forbidden, Unauthorized
from scripta_gateway.access.caller import Caller, Scope
from scripta_gateway.access.keyfile import Limits, SigningEntry
from scripta_gateway.access.keyring import Keyring
from scripta_gateway.access.minting import SHORT_LIVED, Minted, Wish
from scripta_gateway.access.narrowing import models_left, origins_left, quota_left
from scripta_gateway.bounds import TOKEN_CHARACTERS, TOKEN_SECONDS

KIND: Final = "scripta-token+jwt"
"""The ``typ`` of our tokens, so that no other JWT is taken for one, whatever signed it."""
CLOCK_SECONDS: Final = 5.0
"""How far the clocks of two gateways may be apart."""

_ALGORITHM: Final = "HS256"
_OPEN: Final = SigningEntry("open", "everybody-may-know-this-where-everybody-may-call")
"""Signs where callers need no key: a token opens nothing there, and still brings its settings."""
_UNCHECKED: Final[Any] = {
    f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
}
"""What is in a token is read below, by the time that the caller is looked at."""

_BAD: Final = "This token is not good here; ask for a new one."
_EXPIRED: Final = "This token has expired; ask for a new one."
_REVOKED: Final = "This token was revoked; ask for a new one."
_NO_SECRET: Final = (
    "No tokens are made here: whoever runs the service has to add `signing` to its key file, as "
    "`scripta keys signing` prints it."
)


class _Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a token says."""

    sub: str
    tenant: str
    iat: int
    exp: int
    models: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    limits: Limits = Limits()
    preset: Annotated[str, Meta(max_length=TOKEN_CHARACTERS)] = ""


class OpenTokens:
    """Makes tokens where callers need no key, for pages that ask for one before they connect.

    They open nothing, since nothing is closed. Anybody can make one.
    """

    def mint(self, caller: Caller, wish: Wish, now: float) -> Minted:
        """Returns a new token; as ``Mint.mint``."""
        return _write(caller, wish, now, _OPEN)

    def preset_of(self, token: str) -> str:
        """Returns how the calls of a token's holder begin; empty for what is none of these."""
        try:
            claims = _read(token, (_OPEN,))
        except Unauthorized:
            return ""
        return "" if claims is None else claims.preset


class ShortTokens:
    """Makes and knows short-lived tokens.

    Args:
        keyring: Returns the keys as they are now.
    """

    in_urls = True

    def __init__(self, keyring: Callable[[], Keyring]) -> None:
        self._keyring = keyring

    def mint(self, caller: Caller, wish: Wish, now: float) -> Minted:
        """Returns a new token; as ``Mint.mint``."""
        ring = self._keyring()
        if ring.by_id(caller.key, now) is None:
            raise Forbidden("Tokens are made with keys of the key file only.")
        caller.check(Scope.TRANSCRIBE)  # without it, the token could do nothing
        if len(models_left(caller, wish.models)) < len(wish.models):
            raise Forbidden(f"This key is for other models: {', '.join(caller.models)}.")
        if len(origins_left(caller, wish.origins)) < len(wish.origins):
            raise Forbidden(f"This key is for pages of others: {', '.join(caller.origins)}.")
        if not ring.file.signing:
            raise Forbidden(_NO_SECRET)
        return _write(caller, wish, now, ring.file.signing[0])

    async def verify(self, token: str, now: float) -> Caller | None:
        """Returns who shows a token; as ``Verifier.verify``."""
        claims = _read(token, self._keyring().file.signing)
        if claims is None:
            return None
        if claims.exp <= now:
            raise Unauthorized(_EXPIRED)
        if claims.iat > now + CLOCK_SECONDS or claims.exp - claims.iat > TOKEN_SECONDS:
            raise Unauthorized(_BAD)
        caller = self._stays(claims.sub, claims.tenant, claims.iat, now)
        if caller is None:
            raise Unauthorized(_REVOKED)
        return replace(
            caller,
            scopes=caller.scopes & {Scope.TRANSCRIBE},
            models=models_left(caller, claims.models),
            origins=origins_left(caller, claims.origins),
            own=quota_left(caller.own, claims.limits.quota()),
            issued_at=float(claims.iat),
            preset=claims.preset,
        )

    def admits(self, caller: Caller, now: float) -> bool | None:
        """Returns whether a token's caller may stay; as ``Verifier.admits``."""
        if caller.issued_at is None or caller.issuer:
            return None
        return self._stays(caller.key, caller.tenant, caller.issued_at, now) is not None

    def _stays(self, key: str, tenant: str, issued_at: float, now: float) -> Caller | None:
        """Returns the caller of a token's key as it is now, if the token still counts."""
        ring = self._keyring()
        caller = ring.by_id(key, now)
        if caller is None or caller.tenant != tenant:
            return None
        return caller if issued_at >= ring.tokens_not_before(tenant) else None


def _write(caller: Caller, wish: Wish, now: float, signing: SigningEntry) -> Minted:
    issued_at = int(now)
    claims = _Claims(
        sub=caller.key,
        tenant=caller.tenant,
        iat=issued_at,
        exp=issued_at + wish.seconds,
        models=wish.models,
        origins=wish.origins,
        limits=Limits(**asdict(wish.limits)),
        preset=wish.preset,
    )
    head = {"typ": KIND, "kid": signing.id}
    text = jwt.encode(msgspec.to_builtins(claims), signing.secret, _ALGORITHM, head)
    if len(text) > TOKEN_CHARACTERS:
        raise BadRequest(
            f"A token has at most {TOKEN_CHARACTERS} characters, and this one would have "
            f"{len(text)}; ask for less in it, such as a shorter prompt."
        )
    return Minted(text, claims.iat, claims.exp, wish)


def _read(token: str, signing: Sequence[SigningEntry]) -> _Claims | None:
    """Returns what a token of ours says; ``None`` if it is none of ours.

    Raises:
        Unauthorized: It pretends to be one.
    """
    token = token.removeprefix(SHORT_LIVED)
    try:
        head = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        return None
    if head.get("typ") != KIND:
        return None
    entry = next((each for each in signing if each.id == head.get("kid")), None)
    if entry is None:
        raise Unauthorized(_BAD)
    try:
        said = jwt.decode(token, entry.secret, [_ALGORITHM], options=_UNCHECKED)
        return msgspec.convert(said, _Claims)
    except (jwt.InvalidTokenError, msgspec.ValidationError):
        raise Unauthorized(_BAD) from None
