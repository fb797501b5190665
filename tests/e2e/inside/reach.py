"""Tells whether addresses can be reached: ``reach SECONDS open|closed=HOST:PORT …``.

Each is tried until it is as it should be, for a while: networks learn of policies with a delay.
Prints a line of JSON: address to ``true`` if it is.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence

_CONNECT_SECONDS = 3.0
_AGAIN_SECONDS = 1.0


def main(arguments: Sequence[str]) -> None:
    """Does what a command line says."""
    seconds, *targets = arguments
    found = {}
    for target in targets:
        wanted, _, address = target.partition("=")
        found[address] = _becomes(wanted == "open", address, float(seconds))
    print(json.dumps(found), flush=True)


def _becomes(opened: bool, address: str, seconds: float) -> bool:
    give_up_at = time.monotonic() + seconds
    while True:
        if _is_open(address) == opened:
            return True
        if time.monotonic() >= give_up_at:
            return False
        time.sleep(_AGAIN_SECONDS)


def _is_open(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS):
            return True
    except OSError:
        return False
