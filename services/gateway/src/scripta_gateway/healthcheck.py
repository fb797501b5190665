"""Asks the gateway of the same container whether it is ready; the exit code is the answer.

It reads the environment itself: the settings would take longer to import than the answer takes.
"""

from __future__ import annotations

import os
import ssl
import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final

_SECONDS: Final = 4.0


def main() -> None:
    """Ends with 0 if the gateway is ready, else with 1."""
    try:
        connection = _connection()
        connection.request("GET", "/readyz")
        ready = connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        ready = False
    sys.exit(0 if ready else 1)


def _connection() -> HTTPConnection:
    admin_port = int(os.environ.get("ADMIN_PORT") or 0)
    port = admin_port or int(os.environ["APP_PORT"])
    if admin_port or not os.environ.get("TLS_CERT_FILE"):
        return HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # it is asked by its address, which need not be certified
    context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection("127.0.0.1", port, timeout=_SECONDS, context=context)


if __name__ == "__main__":
    main()
