"""Where processes export their metrics: reads addresses as people write them."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from scripta_client.errors import InvalidUrl

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


def metrics_url(text: str) -> str:
    """Returns the URL of a process's metrics.

    Args:
        text: A base URL, that of ``/metrics``, that of a gateway's WebSocket, or ``host:port``.

    Raises:
        InvalidUrl: If it is none of these.
    """
    url = http_url(text)
    if text.startswith(("ws:", "wss:")):
        url = url.removesuffix("/ws")
    return url if url.endswith("/metrics") else f"{url}/metrics"


def http_url(text: str) -> str:
    """Returns an address as a URL for HTTP, without a query and a slash at its end.

    Raises:
        InvalidUrl: If it is none.
    """
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.scheme not in _SCHEMES:
        raise InvalidUrl(f"{text!r} is not the address of a service, such as http://host:8000")
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, parts.path.rstrip("/"), "", ""))


def process_name(url: str) -> str:
    """Returns what a process at that metrics URL is called on the screen, without a password."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return place + parts.path.removesuffix("/metrics")
