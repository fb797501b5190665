"""Opens the WebSocket and says in this package's errors why it could not.

The only place that knows how the ``websockets`` library reports a failed handshake.
"""

from __future__ import annotations

import email.utils
import errno
import json
import socket
import ssl
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus, InvalidURI
from websockets.http11 import Response

from scripta_client.errors import CannotConnect, ConnectError, InvalidUrl, Refused

PING_SECONDS = 10.0
PONG_SECONDS = 30.0
"""A pong may take so long: a server that holds us back does not read our pings meanwhile."""

PATIENT_PONG_SECONDS = 60.0
"""… where nothing would be tried after it."""

CLOSE_TIMEOUT = 2.0

NOTHING_LISTENS = "nothing listens there; start the gateway, or give the address of another"
NOT_TRUSTED = "its certificate is not trusted; name the file of its authority"


async def open_socket(
    address: str,
    *,
    headers: Mapping[str, str] | None,
    timeout: float,
    pong_seconds: float = PONG_SECONDS,
    tls: ssl.SSLContext | None = None,
) -> ClientConnection:
    """Returns an open WebSocket to ``address``.

    Args:
        address: Where to.
        headers: Further HTTP headers.
        timeout: Seconds for it to open.
        pong_seconds: How long a ping may go unanswered before it counts as broken.
        tls: How TLS is spoken, if the address asks for it; ``None``: as the library does.

    Raises:
        InvalidUrl: If the address is malformed.
        CannotConnect: If nobody answers, or not as a WebSocket server does.
        Refused: If the answer is an HTTP status.
    """
    try:
        return await websocket_connect(
            address,
            additional_headers=headers,
            compression=None,  # audio does not shrink
            open_timeout=timeout,
            ping_interval=PING_SECONDS,
            ping_timeout=pong_seconds,
            close_timeout=CLOSE_TIMEOUT,
            ssl=(tls or True) if address.lower().startswith("wss:") else None,
        )
    except InvalidURI as error:
        raise InvalidUrl(str(error)) from error
    except InvalidStatus as error:
        raise _refused(error.response) from error
    except (InvalidHandshake, OSError, EOFError) as error:
        raise _cannot_connect(address, error, timeout) from error


def _cannot_connect(address: str, error: Exception, timeout: float) -> ConnectError:
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    return CannotConnect(parts.hostname or "", port, _hint(error, timeout))


def _hint(error: Exception, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{NOT_TRUSTED} ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error}); does the server expect ws://?"
    if isinstance(error, socket.gaierror):
        return "the host name is not known"
    # A host with several addresses fails with one error that only quotes the others.
    if isinstance(error, ConnectionRefusedError) or f"Errno {errno.ECONNREFUSED}]" in str(error):
        return NOTHING_LISTENS
    if isinstance(error, InvalidMessage | EOFError | ConnectionResetError):
        return "what listens there is not a gateway"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def _refused(response: Response) -> Refused:
    text = bytes(response.body or b"").decode("utf-8", "replace")
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    index = None
    if isinstance(content, dict):
        text = str(content.get("error") or content.get("detail") or text)
        index = content.get("index")
    return Refused(
        response.status_code,
        " ".join(text.split())[:300] or response.reason_phrase or "no reason given",
        _retry_after(response.headers.get("Retry-After")),
        index if type(index) is int and index >= 0 else None,
    )


def _retry_after(value: str | None) -> float | None:
    """Returns the seconds of a ``Retry-After`` header, given as such or as a date."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, round(date.timestamp() - time.time()))
