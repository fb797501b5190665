"""Whose turn it is when slots are few, over two gateways and a transcriber as processes."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scripta_gateway.access.keyfile import digest
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

MANY = 60
SLOTS = 4
MOST_BEFORE = 2
"""Recordings that may be served between the look at who waits and the slot that is free then."""
LIMITS: dict[str, dict[str, float]] = {"acme": {"share": 0.5}, "rival": {}}
FORM = {"encoding": "linear16", "sample_rate": "16000"}
AUDIO = bytes(3200)


class Place:
    """Two gateways that ask for keys."""

    def __init__(self, stack: Stack, keys: dict[str, str]) -> None:
        self._stack = stack
        self._keys = keys

    def shown(self, tenant: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._keys[tenant]}"}

    async def speak(self, tenant: str, gateway: int) -> ClientConnection:
        """Returns a session that is in line; raises ``InvalidStatus`` if it is refused."""
        url = f"ws://127.0.0.1:{self._stack.gateway_ports[gateway]}/ws"
        client = await connect(url, proxy=None, additional_headers=self.shown(tenant))
        await client.send(AUDIO)
        while json.loads(await client.recv())["status"] != "transcript":
            pass
        return client

    async def status(self, tenant: str, gateway: int) -> tuple[int, str]:
        """Returns what a live caller hears, who leaves again at once: 101 if it is let in."""
        try:
            await (await self.speak(tenant, gateway)).close()
        except InvalidStatus as refused:
            return refused.response.status_code, json.loads(refused.response.body or b"")["error"]
        except ConnectionClosed as closed:  # another gateway gave the slot away in this moment
            return 503 if closed.rcvd and closed.rcvd.code == 1013 else 0, str(closed)
        return 101, ""

    async def post(self, client: httpx.AsyncClient, tenant: str, gateway: int) -> None:
        """Posts a recording, and returns when it is transcribed."""
        url = f"http://127.0.0.1:{self._stack.gateway_ports[gateway]}/v1/listen"
        shown = self.shown(tenant)
        answer = await client.post(url, content=AUDIO, headers=shown, params=FORM)
        assert answer.status_code == 200, answer.text

    async def waiting(self, client: httpx.AsyncClient) -> float:
        """Returns how many recordings wait, as the first gateway knows of all."""
        text = (await client.get(f"{self._stack.url}/metrics")).text
        lines = [line for line in text.splitlines() if line.startswith("scripta_sessions_waiting{")]
        return sum(float(line.rpartition(" ")[2]) for line in lines)


@asynccontextmanager
async def place_with(folder: Path, slots: int) -> AsyncIterator[Place]:
    keys = {tenant: secrets.token_urlsafe(32) for tenant in LIMITS}
    entries = [
        {"id": tenant, "tenant": tenant, "hash": digest(key)} for tenant, key in keys.items()
    ]
    tenants = {tenant: {"limits": limits} for tenant, limits in LIMITS.items()}
    path = folder / "keys.json"
    path.write_text(json.dumps({"keys": entries, "tenants": tenants}), "utf-8")
    env = {"KEYS_FILE": str(path), "SLOTS": str(slots), "MAX_WAITING": str(2 * MANY)}
    env["LIVE_WAIT_SECONDS"] = "0"
    async with Stack(engine="mock", env=env) as stack:
        await stack.add_gateway()
        yield Place(stack, keys)


async def test_one_waits_behind_nobodys_sixty(tmp_path: Path, until: Any) -> None:
    """Guards tenants with one recording against those who post hundreds."""
    served: list[str] = []

    async def posted(tenant: str, gateway: int) -> None:
        await place.post(client, tenant, gateway)
        served.append(tenant)

    async with (
        place_with(tmp_path, slots=1) as place,
        httpx.AsyncClient(trust_env=False, timeout=60, limits=httpx.Limits()) as client,
        asyncio.TaskGroup() as posts,
    ):

        async def wait(count: int) -> bool:
            return await place.waiting(client) >= count

        speaker = await place.speak("acme", 0)
        crowd = [posts.create_task(posted("acme", number % 2)) for number in range(MANY)]
        await until(lambda: wait(MANY), 20)
        posts.create_task(posted("rival", 1))
        await until(lambda: wait(MANY + 1), 10)
        assert not served
        await speaker.close()
        await until(lambda: len(served) > MOST_BEFORE + 2, 20)
        for post in crowd:
            post.cancel()
    assert served.index("rival") <= MOST_BEFORE
    assert set(served) == {"acme", "rival"}


async def test_share_holds_while_others_wait_and_only_then(tmp_path: Path, until: Any) -> None:
    """Guards the share, which each gateway works out from what all say."""
    async with place_with(tmp_path, SLOTS) as place, AsyncExitStack() as speaking:

        async def speak(tenant: str, gateway: int) -> ClientConnection:
            return await speaking.enter_async_context(await place.speak(tenant, gateway))

        async def heard(tenant: str, gateway: int, status: int) -> str | None:
            await asyncio.sleep(0.1)  # the pace of a client that tries
            got, said = await place.status(tenant, gateway)
            return said or "let in" if got == status else None

        first, *_ = [await speak("acme", number % 2) for number in range(SLOTS - 1)]
        await speak("rival", 1)
        await until(lambda: heard("rival", 1, 503))
        await first.close()
        # Its share is two of four, and it has two; the rival comes back only later.
        await until(lambda: heard("acme", 0, 429))
        assert "share of this tenant is 0.5 of the slots" in (await heard("acme", 0, 429) or "")
        await until(lambda: heard("rival", 1, 101))
        await until(lambda: heard("acme", 0, 101), 15)
