"""Where the gateway listens, and what its sockets are like."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from raw_client import RawClient, request

from scripta_gateway.transports.listeners import CannotListen, listen
from scripta_local.ports import free_port

pytestmark = pytest.mark.asgi


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this system has no IPv6")


async def answers(host: str, port: int) -> bool:
    try:
        client = RawClient(*await asyncio.open_connection(host, port))
    except OSError:
        return False
    await client.send(request("/livez"))
    status = (await client.answer()).status
    client.abort()
    return status == 200


@needs_ipv6
@pytest.mark.parametrize(
    ("hosts", "served"),
    [
        ("::", {"127.0.0.1", "::1"}),
        ("0.0.0.0,::", {"127.0.0.1", "::1"}),
        ("127.0.0.1, ::1", {"127.0.0.1", "::1"}),
        ("0.0.0.0", {"127.0.0.1"}),
        ("::1", {"::1"}),
    ],
)
async def test_addresses_of_both_kinds_are_served_together(
    start_server: Any, redis: object, hosts: str, served: set[str]
) -> None:
    """Guards clusters of both kinds: the event loop makes ``::`` an address of IPv6 alone."""
    server = await start_server(app_host=hosts)
    port = server.config.port
    assert {host for host in ("127.0.0.1", "::1") if await answers(host, port)} == served


async def test_port_that_is_taken_is_an_error_for_the_operator() -> None:
    port = free_port()
    (listener,) = listen("127.0.0.1", port)
    listener.listen()
    with listener, pytest.raises(CannotListen, match=str(port)):
        listen("127.0.0.1", port)


@pytest.mark.parametrize("hosts", ["", ",", "192.0.2.1"])
async def test_address_that_is_not_here_is_an_error_for_the_operator(hosts: str) -> None:
    with pytest.raises(CannotListen):
        listen(hosts, free_port())


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="this system has no TCP_KEEPIDLE")
async def test_peers_that_are_gone_are_noticed_though_nothing_is_sent(server: Any) -> None:
    """Guards half-open sockets: only data that is not acknowledged ended a connection."""
    async with server.connect():
        (connection,) = server.server_state.connections
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, step, count = (
            accepted.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
    assert idle + step * count <= 60
