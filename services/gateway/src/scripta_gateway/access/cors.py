"""What a browser has to hear before a page of another origin may read an answer (CORS). Pure.

No cookies are taken here, so that pages are never allowed to send credentials of that kind, and an
answer is for one origin by its name. Keys go in a header that the page sets itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

Headers = Sequence[tuple[bytes, bytes]]

ASKED_METHOD: Final = "access-control-request-method"
_ASKED_HEADERS: Final = "access-control-request-headers"
_METHODS: Final = "GET, HEAD, POST"
_REMEMBERED_SECONDS: Final = 600
"""How long a browser does not ask again: also how long a change of the list takes to be heard."""
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_READABLE: Final = frozenset(
    {
        b"cache-control",
        b"content-language",
        b"content-length",
        b"content-type",
        b"expires",
        b"last-modified",
        b"pragma",
    }
)
"""Headers that every page may read; all others have to be named."""
_UNREADABLE: Final = frozenset((b"vary", b"connection", b"date", b"transfer-encoding"))


def preflight_headers(origin: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Returns the headers that allow what a browser asks for.

    Args:
        origin: The page's origin, which is allowed.
        headers: Headers of the browser's question.
    """
    asked = (name.strip() for name in headers.get(_ASKED_HEADERS, "").split(","))
    allowed = ", ".join(name for name in asked if _TOKEN.fullmatch(name))
    answer = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Max-Age": str(_REMEMBERED_SECONDS),
        "Vary": "Origin, Access-Control-Request-Headers",
    }
    return {**answer, "Access-Control-Allow-Headers": allowed} if allowed else answer


def readable(origin: str, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Returns an answer's headers with those by which a page of the origin may read all of it."""
    known = list(headers)
    names = {name.lower() for name, _ in known} - _READABLE - _UNREADABLE
    added = [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]
    if names:
        added.append((b"access-control-expose-headers", b", ".join(sorted(names))))
    return known + added
