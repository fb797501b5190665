"""Asks a gateway something: one HTTP request, with the standard library."""

from __future__ import annotations

import json
import ssl
from http.client import HTTPException, HTTPMessage
from typing import IO, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from scripta_client.errors import CannotConnect, Refused

_SECONDS: Final = 60.0
_MOST_BYTES: Final = 64 * 1024 * 1024


class _NoRedirects(HTTPRedirectHandler):
    """Follows no redirect: the key is for the gateway, and nobody else is to be shown it."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def ask(url: str, key: str, tls: ssl.SSLContext | None = None) -> Any:
    """Returns the answer of a gateway, which is JSON.

    Args:
        url: What is asked for.
        key: The key that is shown; empty for none.
        tls: How TLS is spoken; ``None``: as the library does.

    Raises:
        Refused: The gateway answers with an error; its words are in it.
        CannotConnect: Nobody answers, or not as a gateway does.
    """
    headers = {"Accept": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    where = _host(url)
    try:
        with build_opener(_NoRedirects, HTTPSHandler(context=tls)).open(
            Request(url, headers=headers), timeout=_SECONDS
        ) as answer:
            return json.loads(answer.read(_MOST_BYTES))
    except HTTPError as error:
        raise Refused(error.code, _words(error), _again(error)) from None
    except URLError as error:
        raise CannotConnect(*where, f"{error.reason}; is the gateway there?") from error
    except (OSError, HTTPException) as error:
        raise CannotConnect(*where, f"{error or type(error).__name__}") from error
    except ValueError as error:
        raise not_a_gateway(url) from error


def not_a_gateway(url: str) -> CannotConnect:
    """Returns the error for an answer that no gateway gives."""
    return CannotConnect(*_host(url), "what answers there is not a gateway of Scripta")


def _host(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _words(error: HTTPError) -> str:
    try:
        said: Any = json.loads(error.read(_MOST_BYTES))
        return str(said["error"])
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return error.reason


def _again(error: HTTPError) -> float | None:
    text = error.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None
