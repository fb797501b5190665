"""Ports: a free one is free, a taken one is named."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from scripta_local.errors import PortInUse
from scripta_local.ports import FREE_RANGE, check_port, free_port

pytestmark = pytest.mark.unit


def test_free_port_can_be_listened_on() -> None:
    port = free_port()
    assert FREE_RANGE[0] <= port < FREE_RANGE[1]
    check_port("127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)):
        pass


@pytest.mark.parametrize("listening", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("wanted", ["127.0.0.1", "0.0.0.0"])
def test_taken_port_is_named_with_its_holder_and_a_way_out(listening: str, wanted: str) -> None:
    with socket.create_server((listening, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            check_port(wanted, port)
    assert f"Port {port} is in use" in caught.value.problem
    assert f"make run APP_PORT={port + 1}" in caught.value.fix
    if sys.platform == "linux":
        assert f"process {os.getpid()} (" in caught.value.problem


def test_port_is_free_again_at_once_after_its_server_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()  # this side closes first, so its address lingers in TIME_WAIT
    check_port("127.0.0.1", port)


def test_address_of_another_machine_is_left_to_the_server_to_refuse() -> None:
    check_port("192.0.2.1", free_port())
