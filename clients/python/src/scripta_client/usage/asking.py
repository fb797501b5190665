"""Asks a gateway what was used: one HTTP request, with the standard library."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from http.client import HTTPException, HTTPMessage
from typing import IO, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from scripta_client.errors import CannotConnect, Refused
from scripta_client.top.targets import http_url
from scripta_client.usage.rows import Row, rows_of

OWN: Final = "/v1/usage"
EVERYBODY: Final = "/usage"
_SOCKET: Final = "/ws"
_SECONDS: Final = 60.0
_MOST_BYTES: Final = 64 * 1024 * 1024


class _NoRedirects(HTTPRedirectHandler):
    """Follows no redirect: the key is for the gateway, and nobody else is to be shown it."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def usage_url(url: str, *, everybody: bool, query: Mapping[str, str]) -> str:
    """Returns where a gateway is asked about usage.

    Args:
        url: The gateway's address, as sessions are opened at it, or its base.
        everybody: Whether all tenants are asked about.
        query: What is asked.

    Raises:
        InvalidUrl: It is not an address of a gateway.
    """
    base = http_url(url).removesuffix(_SOCKET)
    return f"{base}{EVERYBODY if everybody else OWN}?{urlencode(query)}"


def ask(url: str, key: str, tls: ssl.SSLContext | None = None) -> list[Row]:
    """Returns the rows of the answer.

    Args:
        url: As ``usage_url`` returns it.
        key: The key that is shown; empty for none.
        tls: How TLS is spoken; ``None``: as the library does.

    Raises:
        Refused: The gateway answers with an error; its words are in it.
        CannotConnect: Nobody answers, or not as a gateway does.
    """
    headers = {"Accept": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    parts = urlsplit(url)
    where = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with build_opener(_NoRedirects, HTTPSHandler(context=tls)).open(
            Request(url, headers=headers), timeout=_SECONDS
        ) as answer:
            return rows_of(json.loads(answer.read(_MOST_BYTES)))
    except HTTPError as error:
        raise Refused(error.code, _words(error), _again(error)) from None
    except URLError as error:
        raise CannotConnect(*where, f"{error.reason}; is the gateway there?") from error
    except (OSError, HTTPException) as error:
        raise CannotConnect(*where, f"{error or type(error).__name__}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise CannotConnect(*where, "what answers there is not a gateway of Scripta") from error


def _words(error: HTTPError) -> str:
    try:
        said: Any = json.loads(error.read(_MOST_BYTES))
        return str(said["error"])
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return error.reason


def _again(error: HTTPError) -> float | None:
    text = error.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None
