"""The keys of an identity provider, as it publishes them (JWKS). Pure.

Always holds: a key is for the algorithms of its own kind, and no secret is among them, so that
nobody signs a token with what everybody can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
import msgspec

_KINDS: Final[Mapping[str, tuple[str, str | None]]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Type and curve of the keys of each algorithm."""
ALGORITHMS: Final = frozenset(_KINDS)
"""All that can be allowed: none of them works with a secret that two share, or with nothing."""

_MOST: Final = 100
_PUBLIC: Final = ("kty", "crv", "n", "e", "x", "y")
_LEAST_RSA_BITS: Final = 2048


class BadKeys(ValueError):
    """It is not a list of keys."""


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str | None
    algorithm: str
    key: jwt.PyJWK


@dataclass(frozen=True, slots=True)
class ProviderKeys:
    """All keys that can be used.

    Attributes:
        keys: Each key once for each algorithm.
    """

    keys: tuple[_Key, ...]

    @classmethod
    def parse(cls, data: bytes, algorithms: frozenset[str]) -> ProviderKeys:
        """Returns the keys of a list; those that can not be used are left out.

        Args:
            data: JSON.
            algorithms: The algorithms that are allowed.

        Raises:
            BadKeys: It is no such list, or no key of it can be used.
        """
        try:
            listed = msgspec.json.decode(data, type=dict[str, Any]).get("keys")
        except (msgspec.DecodeError, RecursionError):
            raise BadKeys("it is not JSON") from None
        if not isinstance(listed, list) or len(listed) > _MOST:
            raise BadKeys(f"it has no list of at most {_MOST} keys")
        found = [
            _Key(_text(entry.get("kid")), algorithm, key)
            for entry in listed
            if isinstance(entry, dict)
            for algorithm in sorted(algorithms)
            if (key := _key(entry, algorithm)) is not None
        ]
        if not found:
            raise BadKeys("it has no key for the algorithms that are allowed")
        return cls(tuple(found))

    def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Returns the key that a token may be signed with; ``None`` if there is not exactly one.

        Args:
            kid: Id of the key that the token names, if it names one.
            algorithm: The algorithm that it names.
        """
        keys = [
            each.key
            for each in self.keys
            if each.algorithm == algorithm and (kid is None or each.kid == kid)
        ]
        return keys[0] if len(keys) == 1 else None


def _key(entry: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
    """Returns an entry's key for an algorithm; ``None`` if it is not for that."""
    kind, curve = _KINDS[algorithm]
    if entry.get("kty") != kind or (curve is not None and entry.get("crv") != curve):
        return None
    if entry.get("use", "sig") != "sig" or entry.get("alg", algorithm) != algorithm:
        return None
    try:
        key = jwt.PyJWK({name: entry[name] for name in _PUBLIC if name in entry}, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return key if kind != "RSA" or key.key.key_size >= _LEAST_RSA_BITS else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
