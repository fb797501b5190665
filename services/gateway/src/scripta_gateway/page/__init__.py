"""The page for browsers: plain files that need no build step and nothing from elsewhere.

Owns the files, their media types and the headers they are sent with. It knows no web framework:
the routes hand it a request path and send what it returns. Only listed files are readable.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

_JAVASCRIPT: Final = "text/javascript; charset=utf-8"

MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "/": "text/html; charset=utf-8",
        "/page/page.css": "text/css; charset=utf-8",
        "/page/icon.svg": "image/svg+xml",
        "/page/page.js": _JAVASCRIPT,
        "/page/view.js": _JAVASCRIPT,
        "/page/focus.js": _JAVASCRIPT,
        "/page/download.js": _JAVASCRIPT,
        "/page/models.js": _JAVASCRIPT,
        "/page/session.js": _JAVASCRIPT,
        "/page/upload.js": _JAVASCRIPT,
        "/page/microphone.js": _JAVASCRIPT,
        "/page/explain.js": _JAVASCRIPT,
        "/page/capture-worklet.js": _JAVASCRIPT,
    }
)
"""Every path of the page, with its media type."""

HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "Cache-Control": "no-cache",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
)
"""Headers for every file of the page: it runs only its own code and talks only to its host."""


def read_asset(path: str) -> tuple[str, bytes] | None:
    """Reads a file of the page.

    Args:
        path: Request path, such as ``/`` or ``/page/page.js``.

    Returns:
        Its media type and its bytes, or ``None`` if the page has no such path.
    """
    media_type = MEDIA_TYPES.get(path)
    if media_type is None:
        return None
    return media_type, _read(path.removeprefix("/page/").lstrip("/") or "index.html")


@cache
def _read(name: str) -> bytes:
    return resources.files(__package__).joinpath(name).read_bytes()
