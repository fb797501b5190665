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
"""Of each tenant."""
TENANTS = ("acme", "rival")
SLOTS = "16"
TURNS = 12
"""Sessions that end and are followed by others before a gateway is killed."""
SHORT_SECONDS = 1.0
"""How long a place may be free while clients want it: one comes back every few milliseconds."""
HEAL_SECONDS = 20.0
"""How long the places of a killed gateway may be taken; a session's TTL is 60 s."""


class Crowd:
    """Clients that want sessions all the time.

    Attributes:
        stay: Whether a client keeps its session until it is cut; otherwise it ends it soon.
        held: Sessions of each tenant, by gateway, from the accept until the close.
        most: The most that each had at any moment.
        turns: Sessions of each tenant that their clients have ended.
        cut: Sessions at each gateway that were cut.
        statuses: The refusals.
    """

    def __init__(self, ports: list[int], keys: dict[str, str]) -> None:
        self._ports = ports
        self._keys = keys
        self.stay = False
        self.held: dict[str, Counter[int]] = {tenant: Counter() for tenant in keys}
        self.most: Counter[str] = Counter()
        self.turns: Counter[str] = Counter()
        self.cut: Counter[int] = Counter()
        self.statuses: Counter[int] = Counter()
        # Since when a place of each tenant is free, and for how long places were.
        self._free_since: dict[str, float] = {}
        self._free: list[float] = []

    async def want(self, tenant: str, number: int) -> None:
        """Opens sessions, at the gateways in turn, until cancelled."""
        shown = {"Authorization": f"Bearer {self._keys[tenant]}"}
        while True:
            number += 1
            place = number % len(self._ports)
            url = f"ws://127.0.0.1:{self._ports[place]}/ws"
            with suppress(OSError, ConnectionClosed, TimeoutError):
                try:
                    async with connect(url, proxy=None, additional_headers=shown) as socket:
                        await self._hold(tenant, place, socket)
                except InvalidStatus as refused:
                    self.statuses[refused.response.status_code] += 1
            await asyncio.sleep(0.2)

    def total(self, tenant: str) -> int:
        """Returns how many sessions a tenant has now."""
        return self.held[tenant].total()

    def full(self) -> bool:
        """Returns whether all tenants have as many sessions as they may."""
        return all(self.total(tenant) == MOST for tenant in self.held)

    def everywhere(self) -> bool:
        """Returns whether each tenant has sessions at each gateway."""
        places = range(len(self._ports))
        return all(held[place] for held in self.held.values() for place in places)

    def watch(self) -> None:
        """Begins to note for how long a place is free."""
        self._free.clear()
        self._free_since.clear()
        for tenant in self.held:
            self._note(tenant)

    def longest_free(self) -> float:
        """Returns the longest time, since it is watched, that a place was free."""
        now = time.monotonic()
        return max([0.0, *self._free, *(now - since for since in self._free_since.values())])

    async def _hold(self, tenant: str, place: int, socket: Any) -> None:
        self._count(tenant, place, 1)
        try:
            for _ in range(2):
                await self._speak(socket)
            while self.stay:
                await self._speak(socket)
        except ConnectionClosed:
            self.cut[place] += 1
            raise
        else:
            self.turns[tenant] += 1
        finally:
            self._count(tenant, place, -1)

    async def _speak(self, socket: Any) -> None:
        await socket.send(b"ab")
        await socket.recv()
        await asyncio.sleep(0.3)  # the pace of the client

    def _count(self, tenant: str, place: int, step: int) -> None:
        self.held[tenant][place] += step
        self.most[tenant] = max(self.most[tenant], self.total(tenant))
        self._note(tenant)

    def _note(self, tenant: str) -> None:
        """Notes since when a place is free, or for how long it was."""
        now = time.monotonic()
        if self.total(tenant) < MOST:
            self._free_since.setdefault(tenant, now)
        elif tenant in self._free_since:
            self._free.append(now - self._free_since.pop(tenant))


async def test_never_a_fourth_and_soon_three_again_when_a_gateway_is_killed(
    tmp_path: Path, until: Any
) -> None:
    """Guards limits that two gateways count apart, places that die with a gateway or are given back
    late, and sessions of the other gateway that are cut then.
    """
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

        await until(crowd.full, 15)
        crowd.watch()
        await until(lambda: all(crowd.turns[tenant] > TURNS for tenant in TENANTS), 40)
        assert crowd.longest_free() < SHORT_SECONDS, "they want them all the time"
        await until(lambda: crowd.full() and crowd.everywhere(), 10)
        crowd.stay = True
        survive = sum(crowd.held[tenant][1] for tenant in TENANTS)
        crowd.watch()
        await stack.kill_gateway(place=0)
        await until(lambda: not crowd.full(), 5)
        await until(crowd.full, HEAL_SECONDS)
        assert crowd.longest_free() < HEAL_SECONDS
        crowd.watch()
        await asyncio.sleep(1)  # in this time a seat that comes free is seen
        assert crowd.longest_free() == 0, "they have them"
        assert crowd.cut == {0: 2 * MOST - survive}, "those of the other gateway stay"
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    assert crowd.most == dict.fromkeys(TENANTS, MOST)
    assert set(crowd.statuses) == {429}
