"""What everybody can see of a session opens nothing; what opens it, only its client was told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .system import System

pytestmark = [pytest.mark.system, pytest.mark.slow]

_WORD = bytes(3200)


@pytest_asyncio.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    async with System(log=tmp_path / "services.log") as system:
        yield system


async def open_session(system: System, query: str = "") -> ClientConnection:
    return await connect(f"{system.stack.ws_url}?{query}", compression=None, ping_interval=None)


async def next_frame(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(20):
        frame: dict[str, Any] = json.loads(await socket.recv())
        return frame


async def hear(socket: ClientConnection, status: str) -> dict[str, Any]:
    while (frame := await next_frame(socket))["status"] != status:
        pass
    return frame


@pytest.mark.parametrize("query", ["", "events=true"])
async def test_session_id_is_no_password(query: str, system: System) -> None:
    """Guards a transcript that everybody reads who sees a log line or a span."""
    victim = await open_session(system, query)
    assert victim.response is not None
    sid = victim.response.headers["scripta-session"]
    await victim.send(_WORD)
    await hear(victim, "transcript")
    for guess in (f"session={sid}", f"resume={sid}", f"session={sid}&resume={sid}"):
        try:
            thief = await open_session(system, f"events=true&from=0&{guess}")
        except InvalidStatus as refusal:
            assert refusal.response.status_code == 400  # noqa: PT017 - one of two right answers
            continue
        opening = await hear(thief, "session")
        assert opening["resumed"] is False, guess
        assert opening["session"] != sid
        await thief.close()
    await victim.send(_WORD)
    await hear(victim, "transcript")
    await victim.close()


async def test_token_opens_the_session_and_is_told_to_its_client_alone(
    system: System, tmp_path: Path
) -> None:
    """Guards a token that stands in logs, or that does not open what it was made for."""
    first = await open_session(system, "events=true")
    opening = await hear(first, "session")
    token = opening["token"]
    await first.send(_WORD)
    await hear(first, "transcript")
    second = await open_session(system, f"events=true&from=0&resume={token}")
    opening = await hear(second, "session")
    assert opening["resumed"] is True
    await hear(second, "transcript")
    with pytest.raises(ConnectionClosed):
        await hear(first, "never")
    await second.close()
    assert second.response is not None
    assert token not in str(second.response.headers)
    assert token not in (tmp_path / "services.log").read_text()


async def test_result_beyond_the_last_is_a_clear_refusal(system: System) -> None:
    """Guards ``from=10^30``, which was an internal error of the gateway."""
    first = await open_session(system, "events=true")
    token = (await hear(first, "session"))["token"]
    with pytest.raises(InvalidStatus) as refused:
        await open_session(system, f"events=true&resume={token}&from={10**30}")
    assert refused.value.response.status_code == 400
    assert "from" in json.loads(refused.value.response.body or b"{}")["error"]
    await first.close()
    assert system.record.errors == []
