"""Where load may go: a mistyped address must not hit somebody else's machines."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from scripta_load.errors import BadOption

Resolve = Callable[[str, int], list[str]]


def check_target(url: str, *, allow_remote: bool, resolve: Resolve | None = None) -> None:
    """Returns if load may go there: to loopback, a private network, or where it was allowed.

    Raises:
        BadOption: The name is unknown, or one of its addresses is public.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    try:
        addresses = (resolve or _resolve)(host, port)
    except OSError as error:
        raise BadOption(f"{host} has no address: {error.strerror or error}.") from None
    public = [address for address in addresses if ip_address(address).is_global]
    if public and not allow_remote:
        raise BadOption(
            f"{host} is {public[0]}, a public address. If it is yours to load, say --allow-remote."
        )


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A link-local address comes with its interface, behind a percent sign.
    return [str(entry[4][0]).partition("%")[0] for entry in found]
