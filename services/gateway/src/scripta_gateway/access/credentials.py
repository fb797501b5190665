"""Where a caller shows its key: taken out of the request, so that nothing behind it sees it. Pure.

A key stands in ``Authorization``, or where browsers can put one, in a WebSocket subprotocol. Only a
short-lived token may stand in a URL, since URLs end in logs and histories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from scripta_common.errors import Unauthorized
from scripta_gateway.transports.base import Request

TOKEN_PARAMETER: Final = "access_token"
"""The query parameter of a short-lived token, as RFC 6750 names it."""

_HEADER: Final = "authorization"
_SCHEMES: Final = frozenset({"token", "bearer"})
_MOST: Final = 8192
"""Letters of the longest key or token that is looked at."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a caller shows.

    Attributes:
        text: The key or token.
        in_url: Whether it stood in the URL.
    """

    text: str = field(repr=False)
    in_url: bool = False


def take(request: Request, prefix: str = "") -> tuple[Credential | None, Request]:
    """Returns what a caller shows, and its request without that.

    Args:
        request: The request.
        prefix: What a subprotocol begins with that is a key; by default the subprotocol behind
            ``token`` or ``bearer`` is one.

    Raises:
        Unauthorized: The header has another scheme, or what is shown can be no key.
    """
    rest = without(request, prefix)
    header = request.headers.get(_HEADER)
    if header is not None:
        return Credential(_checked(_from_header(header))), rest
    _, by_subprotocol = _from_subprotocols(request.subprotocols, prefix)
    if by_subprotocol is not None:
        return Credential(_checked(by_subprotocol)), rest
    by_query = next((value for name, value in request.query if name == TOKEN_PARAMETER), None)
    if by_query is not None:
        return Credential(_checked(by_query), in_url=True), rest
    return None, rest


def without(request: Request, prefix: str = "") -> Request:
    """Returns a request without what its caller shows, whatever that is; as ``take``."""
    offered, _ = _from_subprotocols(request.subprotocols, prefix)
    return replace(
        request,
        query=[pair for pair in request.query if pair[0] != TOKEN_PARAMETER],
        headers={name: value for name, value in request.headers.items() if name != _HEADER},
        subprotocols=offered,
    )


def answered(offered: Sequence[str]) -> str | None:
    """Returns the subprotocol that a browser has to hear which showed its key behind it."""
    return offered[0] if offered and offered[0].lower() in _SCHEMES else None


def _from_header(value: str) -> str:
    scheme, _, text = value.strip().partition(" ")
    if scheme.lower() not in _SCHEMES:
        raise Unauthorized("Authorization has to be: Bearer KEY, or Token KEY.")
    return text.strip()


def _from_subprotocols(offered: Sequence[str], prefix: str) -> tuple[Sequence[str], str | None]:
    if prefix:
        keys = [name.removeprefix(prefix) for name in offered if name.startswith(prefix)]
        others = [name for name in offered if not name.startswith(prefix)]
        return others, keys[0] if keys else None
    if len(offered) > 1 and offered[0].lower() in _SCHEMES:
        return (offered[0], *offered[2:]), offered[1]
    return offered, None


def _checked(text: str) -> str:
    if not text or len(text) > _MOST or not text.isascii() or not text.isprintable():
        raise Unauthorized("This is no key.")
    return text
