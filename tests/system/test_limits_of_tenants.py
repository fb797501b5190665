"""Limits of tenants over two gateways, one of which is killed."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scripta_gateway.access.keyfile import digest
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

MOST = 3
CLIENTS = 25
TENANTS = ("acme", "rival")
SLOTS = "16"


class Crowd:
    """Clients that want sessions all the time; each keeps one until it is cut.

    Attributes:
        held: Sessions that clients of each tenant have, from the accept until the close.
        most: The most that each had at any moment.
        statuses: The refusals.
    """

    def __init__(self, ports: list[int], keys: dict[str, str]) -> None:
        self._ports = ports
        self._keys = keys
        self.held: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()

    async def want(self, tenant: str, number: int) -> None:
        """Opens sessions, at the gateways in turn, until cancelled."""
        shown = {"Authorization": f"Bearer {self._keys[tenant]}"}
        while True:
            number += 1
            url = f"ws://127.0.0.1:{self._ports[number % len(self._ports)]}/ws"
            with suppress(OSError, ConnectionClosed, TimeoutError):
                try:
                    async with connect(url, proxy=None, additional_headers=shown) as socket:
                        await self._hold(tenant, socket)
                except InvalidStatus as refused:
                    self.statuses[refused.response.status_code] += 1
            await asyncio.sleep(0.2)

    async def _hold(self, tenant: str, socket: Any) -> None:
        self.held[tenant] += 1
        self.most[tenant] = max(self.most[tenant], self.held[tenant])
        try:
            while True:
                await socket.send(b"ab")
                await socket.recv()
                await asyncio.sleep(0.3)
        finally:
            self.held[tenant] -= 1


async def test_never_a_fourth_and_soon_three_again_when_a_gateway_is_killed(
    tmp_path: Path, until: Any
) -> None:
    """Guards limits that two gateways count apart, and places that die with a gateway."""
    keys = {tenant: secrets.token_urlsafe(32) for tenant in TENANTS}
    path = tmp_path / "keys.json"
    entries = [
        {"id": tenant, "tenant": tenant, "hash": digest(key)} for tenant, key in keys.items()
    ]
    limits = {tenant: {"limits": {"sessions": MOST}} for tenant in TENANTS}
    path.write_text(json.dumps({"keys": entries, "tenants": limits}), "utf-8")
    env = {"KEYS_FILE": str(path), "SLOTS": SLOTS}
    async with Stack(engine="mock", restart=False, env=env) as stack:
        await stack.add_gateway()
        crowd = Crowd(stack.gateway_ports, keys)
        clients = [
            asyncio.create_task(crowd.want(tenant, number))
            for tenant in TENANTS
            for number in range(CLIENTS)
        ]

        def full() -> bool:
            return all(crowd.held[tenant] == MOST for tenant in TENANTS)

        await until(full, 15)
        await asyncio.sleep(1)
        assert full(), "they want them all the time"
        await stack.kill_gateway(place=0)
        killed_at = time.monotonic()
        await until(lambda: not full(), 5)
        await until(full, 25)  # long before SESSION_TTL_SECONDS
        assert time.monotonic() - killed_at < 20
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    assert crowd.most == dict.fromkeys(TENANTS, MOST)
    assert set(crowd.statuses) == {429}
