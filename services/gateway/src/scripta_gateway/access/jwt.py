"""Tokens of an identity provider (JWT): who shows one, and what that caller may do.

The caller's key is ``jwt-`` and 24 hexadecimal digits: the beginning of the SHA-256 of the issuer,
a space and the subject. So logs and usage tell callers apart and hold no name or address of a
person, and whoever knows the subject finds its lines.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import jwt

from scripta_common.errors import Unauthorized
from scripta_gateway.access.caller import Caller, Scope
from scripta_gateway.access.keyring import Keyring
from scripta_gateway.access.provider import Provider

_TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""As names in the key file: a tenant stands in keys on the broker, in logs and in labels."""
_DIGITS: Final = 24
_MOST_MODELS: Final = 100
_NEEDED: Final = ["exp", "iat"]

_EXPIRED: Final = "This token has expired; ask its provider for a new one."
_EARLY: Final = "This token is not valid yet; the clocks may differ."
_AUDIENCE: Final = "This token is for another service."
_UNKNOWN: Final = "This token is signed with a key that its provider does not list."
_BAD: Final = "This token is not good here."
_REVOKED: Final = "This token was revoked; ask its provider for a new one."


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of tokens, and what their claims mean.

    Attributes:
        issuer: Who has to have made them.
        audience: For whom they have to be: one of these.
        algorithms: What they may be signed by.
        leeway: Seconds that clocks may differ.
        tenant: Claim that names the tenant.
        scope: Claim that has the scopes; empty: all may transcribe, and nothing else.
        prefix: What our scopes begin with there.
        models: Claim that has the models; empty: all models.
        subject: Claim that names the caller.
    """

    issuer: str
    audience: tuple[str, ...]
    algorithms: frozenset[str]
    leeway: float
    tenant: str
    scope: str
    prefix: str
    models: str
    subject: str

    def caller(self, claims: Mapping[str, Any]) -> Caller:
        """Returns who shows a token with these claims; raises ``Unauthorized`` if one lacks."""
        subject, tenant = _claim(claims, self.subject), _claim(claims, self.tenant)
        if not isinstance(subject, str) or not subject:
            raise Unauthorized(f"This token has no {self.subject}.")
        if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
            raise Unauthorized(f"This token names no tenant in {self.tenant}.")
        models = _words(_claim(claims, self.models)) if self.models else ()
        if self.models and not 0 < len(models) <= _MOST_MODELS:
            raise Unauthorized(f"This token names no models in {self.models}.")
        return Caller(
            key=self.key(subject),
            tenant=tenant,
            scopes=self._scopes(claims),
            models=models,
            issued_at=float(claims["iat"]),
            issuer=self.issuer,
        )

    def key(self, subject: str) -> str:
        """Returns what stands for a subject in logs, in usage and on the broker."""
        digest = hashlib.sha256(f"{self.issuer} {subject}".encode()).hexdigest()
        return f"jwt-{digest[:_DIGITS]}"

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        if not self.scope:
            return frozenset({Scope.TRANSCRIBE})
        words = _words(_claim(claims, self.scope))
        return frozenset(scope for scope in Scope if f"{self.prefix}{scope}" in words)


class ProviderTokens:
    """Knows callers by tokens of an identity provider.

    Args:
        rules: What is asked of tokens.
        provider: Has the keys that they are signed with.
        keyring: Returns the key file as it is now, for the limits of tenants.
    """

    in_urls = False

    def __init__(self, rules: Rules, provider: Provider, keyring: Callable[[], Keyring]) -> None:
        self._rules = rules
        self._provider = provider
        self._keyring = keyring

    async def verify(self, token: str, now: float) -> Caller | None:
        """Returns who shows a token; as ``Verifier.verify``.

        Cancelled while the provider's keys come, nothing is left.

        Raises:
            Unauthorized: It is of the provider, and not good.
            ProviderUnavailable: The provider's keys are not known yet.
        """
        head = self._head(token)
        if head is None:
            return None
        algorithm, kid = head.get("alg"), head.get("kid")
        if algorithm not in self._rules.algorithms or "crit" in head:
            raise Unauthorized(_BAD)
        key = await self._provider.find(kid, algorithm)
        if key is None:
            raise Unauthorized(_UNKNOWN)
        caller = self._rules.caller(self._claims(token, key, algorithm))
        if not self._stays(caller):
            raise Unauthorized(_REVOKED)
        shared = self._keyring().file.quota_of(caller.tenant)
        return replace(caller, shared=shared)

    def admits(self, caller: Caller, now: float) -> bool | None:
        """Returns whether a token's caller may stay; as ``Verifier.admits``."""
        return self._stays(caller) if caller.issuer == self._rules.issuer else None

    def _stays(self, caller: Caller) -> bool:
        not_before = self._keyring().tokens_not_before(caller.tenant)
        return (caller.issued_at or 0) >= not_before

    def _head(self, token: str) -> dict[str, Any] | None:
        """Returns the header of a token that says it is of the provider, else ``None``."""
        try:
            said = jwt.decode_complete(token, options={"verify_signature": False})
        except (jwt.InvalidTokenError, RecursionError):
            return None
        ours = said["payload"].get("iss") == self._rules.issuer
        return dict(said["header"]) if ours else None

    def _claims(self, token: str, key: jwt.PyJWK, algorithm: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                [algorithm],
                audience=self._rules.audience,
                issuer=self._rules.issuer,
                leeway=self._rules.leeway,
                options={"require": _NEEDED},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized(_EXPIRED) from None
        except jwt.ImmatureSignatureError:
            raise Unauthorized(_EARLY) from None
        except jwt.InvalidAudienceError:
            raise Unauthorized(_AUDIENCE) from None
        except jwt.InvalidTokenError:
            raise Unauthorized(_BAD) from None


def _claim(claims: Mapping[str, Any], name: str) -> object:
    """Returns a claim by its name, or by the names on the way to it with dots between."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _words(value: object) -> tuple[str, ...]:
    """Returns the words of a claim: with spaces between, or in a list."""
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, list):
        return tuple(word for word in value if isinstance(word, str) and word)
    return ()
