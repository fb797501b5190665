"""Asks a gateway what was used."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from scripta_client import asking
from scripta_client.top.targets import http_url
from scripta_client.usage.rows import Row, rows_of

OWN: Final = "/v1/usage"
EVERYBODY: Final = "/usage"
_SOCKET: Final = "/ws"


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
    try:
        return rows_of(asking.ask(url, key, tls))
    except (ValueError, LookupError, TypeError) as error:
        raise asking.not_a_gateway(url) from error
