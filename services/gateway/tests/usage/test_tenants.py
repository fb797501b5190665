"""Usage from the key that a client shows to the answer that its tenant gets."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from scripta_gateway.access.keyfile import digest

pytestmark = pytest.mark.asgi

SPEAKER, PHONE, READER, RIVAL = (secrets.token_urlsafe(32) for _ in range(4))
SECOND = bytes(32_000)

ENTRIES = [
    {"id": "web", "tenant": "acme", "hash": digest(SPEAKER), "scopes": ["transcribe"]},
    {"id": "phone", "tenant": "acme", "hash": digest(PHONE), "scopes": ["transcribe"]},
    {"id": "bill", "tenant": "acme", "hash": digest(READER), "scopes": ["usage"]},
    {"id": "rival", "tenant": "rival", "hash": digest(RIVAL), "scopes": ["transcribe", "usage"]},
]


@pytest_asyncio.fixture
async def guarded(redis: object, start_server: Any, mock_worker: Any, tmp_path: Path) -> Any:
    """A gateway that asks for keys."""
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": ENTRIES}), "utf-8")
    return await start_server(keys_file=str(path))


async def speak(
    server: Any, key: str, seconds: int, path: str = "/ws", end: str = '{"type":"end"}'
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with server.connect_to(path, additional_headers=headers) as client:
        for _ in range(seconds):
            await client.send(SECOND)
        await client.send(end)
        async for _ in client:
            pass


async def asked(server: Any, key: str) -> tuple[int, Any]:
    answer = await server.get("/v1/usage", Authorization=f"Bearer {key}")
    return answer.status_code, answer.json()


async def test_tenant_hears_what_its_keys_have_used_and_nobody_elses(guarded: Any) -> None:
    await speak(guarded, SPEAKER, 2)
    await speak(guarded, SPEAKER, 1)
    await speak(guarded, PHONE, 3)
    await speak(guarded, RIVAL, 4)
    status, said = await asked(guarded, READER)
    assert (status, said["tenant"]) == (200, "acme")
    rows = {row["key"]: row for row in said["rows"]}
    assert {key: (row["audio_seconds"], row["sessions"]) for key, row in rows.items()} == {
        "phone": (3.0, 1),
        "web": (3.0, 2),
    }
    assert (await asked(guarded, RIVAL))[1]["rows"][0]["audio_seconds"] == 4.0


async def test_each_channel_is_a_session_and_counts_for_itself(guarded: Any) -> None:
    raw = "encoding=linear16&sample_rate=16000&channels=2&multichannel=true"
    await speak(guarded, RIVAL, 2, f"/v1/listen?{raw}", '{"type":"CloseStream"}')
    (row,) = (await asked(guarded, RIVAL))[1]["rows"]
    assert (row["audio_seconds"], row["sessions"]) == (2.0, 2)


async def test_key_has_to_be_good_and_for_this(guarded: Any) -> None:
    assert (await asked(guarded, SPEAKER))[0] == 403
    assert (await asked(guarded, secrets.token_urlsafe(32)))[0] == 401
    assert (await guarded.get("/v1/usage")).status_code == 401
