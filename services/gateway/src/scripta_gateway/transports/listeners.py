"""The sockets that the gateway listens on, and what those that it accepts inherit from them."""

from __future__ import annotations

import socket
from typing import Any, Final

_EVERY_IPV6: Final = "::"
_DEAD_PEER_MS: Final = 60_000
"""Data that is not acknowledged for so long, a ping at the latest, ends a connection."""
_IDLE_SECONDS: Final = 30
_PROBE_SECONDS: Final = 10
_PROBES: Final = 3
"""Peers that are gone are noticed within a minute also where nothing is sent to them."""
_RECEIVE_BUFFER: Final = 256 * 1024
"""What the kernel keeps of a client that is not read from; by default it may be 6 MB each."""
_SEND_BUFFER: Final = 128 * 1024
"""What the kernel keeps for a client that does not read; by default it may be 4 MB each."""


class CannotListen(Exception):
    """The address can not be listened on; the message is for the operator."""


def listen(hosts: str, port: int) -> list[socket.socket]:
    """Returns bound sockets.

    Args:
        hosts: Addresses or names with commas between them. ``::`` is every address, of IPv6 and of
            IPv4, unless an address of IPv4 stands beside it.
        port: Port.

    Raises:
        CannotListen: There is no such address here, or the port is taken.
    """
    names = [host.strip() for host in hosts.split(",") if host.strip()]
    if not names:
        raise CannotListen("Cannot listen: APP_HOST names no address")
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(names, port):
            sockets.append(_bind(family, address, alone=len(names) == 1))
    except OSError as error:
        for bound in sockets:
            bound.close()
        raise CannotListen(f"Cannot listen on {hosts} port {port}: {error.strerror}") from error
    return sockets


def _addresses(names: list[str], port: int) -> dict[tuple[int, Any], None]:
    found: dict[tuple[int, Any], None] = {}
    for name in names:
        for family, _, _, _, address in socket.getaddrinfo(
            name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            found[family, address] = None
    return found


def _bind(family: int, address: Any, *, alone: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            both = alone and address[0] == _EVERY_IPV6
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
        _bound_cost(listener)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _bound_cost(listener: socket.socket) -> None:
    """Sets what accepted sockets inherit; this the kernel does for each of these options."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    for name, value in (
        ("TCP_USER_TIMEOUT", _DEAD_PEER_MS),
        ("TCP_KEEPIDLE", _IDLE_SECONDS),
        ("TCP_KEEPINTVL", _PROBE_SECONDS),
        ("TCP_KEEPCNT", _PROBES),
    ):
        if hasattr(socket, name):  # not on every system
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
