"""A gateway's process that is told to stop, whatever its clients have left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from raw_client import RawClient, frame, request, upgrade

from scripta_local.broker import Broker as BrokerProcess
from scripta_local.ports import free_port

pytestmark = pytest.mark.asgi


@dataclass
class Process:
    """A gateway's process."""

    address: str
    process: asyncio.subprocess.Process


@asynccontextmanager
async def running(url: str) -> AsyncIterator[Process]:
    port = free_port()
    environment = {
        **os.environ,
        "REDIS_URL": url,
        "APP_HOST": "127.0.0.1",
        "APP_PORT": str(port),
        "DRAIN_SECONDS": "3",
        "DRAIN_SPREAD_SECONDS": "0",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripta_gateway"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Process(f"127.0.0.1:{port}", process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


LEFT = (
    upgrade("/ws", "Cookie: " + "a" * 20_000),
    upgrade("/ws", *(f"X-{n}: a" for n in range(200))),
    upgrade("/ws", "Content-Length: 3"),
    upgrade().removesuffix(b"\r\n"),
    request("/livez", end=False),
    b"",
    upgrade() + frame(2, bytes(100), length=1000),
    upgrade() + frame(2, bytes(100_000), length=1_000_000),
    upgrade() + frame(8, b"\x03\xe8"),
    request("/metrics") * 500,
)
"""What odd clients send and then wait."""


async def dial(gateway: Process) -> RawClient:
    host, _, port = gateway.address.rpartition(":")
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, (host, int(port)))
    return RawClient(*await asyncio.open_connection(sock=plain))


async def test_process_ends_well_whatever_clients_have_left_behind(
    shared_broker: BrokerProcess,
    until: Callable[..., Awaitable[None]],
    offer_slots: Callable[..., Awaitable[None]],
) -> None:
    """Guards the drain: a handshake that was never answered ended it with an assertion."""
    await offer_slots(shared_broker.url, 100)
    async with running(shared_broker.url) as gateway:

        async def serves() -> bool:
            try:
                client = await dial(gateway)
            except OSError:
                return False
            await client.send(request("/readyz"))
            ready = (await client.answer()).status == 200
            client.abort()
            return ready

        await until(serves, 20)
        live = await dial(gateway)
        await live.shake()
        odd = [await dial(gateway) for _ in LEFT]
        for client, left in zip(odd, LEFT, strict=True):
            await client.send(left)
        # A client that has said half of something gets no answer that could be waited for.
        await asyncio.sleep(0.2)
        gateway.process.send_signal(signal.SIGTERM)
        assert (await live.closed())[0] == 1012
        live.writer.close()
        said, _ = await asyncio.wait_for(gateway.process.communicate(), 20)
        for client in odd:
            client.abort()
    assert gateway.process.returncode == 0, said.decode()
    assert b"Traceback" not in said
    assert b'"level": "error"' not in said


_WITHOUT_UPKEEP = """
from scripta_gateway.__main__ import main
from scripta_gateway.sessions.upkeep import Upkeep

async def fail(self):
    raise RuntimeError("no upkeep")

Upkeep.run = fail
main()
"""


async def test_process_that_can_not_serve_any_more_does_not_end_well(
    shared_broker: BrokerProcess,
) -> None:
    """Guards supervisors that start again only what has failed."""
    environment = {
        **os.environ,
        "REDIS_URL": shared_broker.url,
        "APP_HOST": "127.0.0.1",
        "APP_PORT": str(free_port()),
        "DRAIN_SECONDS": "2",
        "DRAIN_SPREAD_SECONDS": "0",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _WITHOUT_UPKEEP),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1, said.decode()
    assert b"hub failed" in said
