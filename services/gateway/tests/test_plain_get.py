"""A plain GET at the path of a WebSocket says what the handshake would be refused with."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from scripta_gateway.access.keyfile import digest

pytestmark = pytest.mark.asgi

PATHS = ("/ws", "/v1/listen", "/v1/realtime")
OF_THE_REQUEST = {"request_id"}
"""What is another in each answer."""


async def handshake(server: Any, address: str) -> tuple[int, Any, str | None]:
    with pytest.raises(InvalidStatus) as refused:
        await server.connect_to(address)
    response = refused.value.response
    return response.status_code, without_ids(response.body), response.headers.get("retry-after")


async def plain(server: Any, address: str) -> tuple[int, Any, str | None]:
    answer = await server.get(address)
    return answer.status_code, without_ids(answer.content), answer.headers.get("retry-after")


def without_ids(body: bytes) -> Any:
    said = json.loads(body)
    return {name: value for name, value in said.items() if name not in OF_THE_REQUEST}


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/ws?language=klingon!", 400),
        ("/ws?model=nobodys", 400),
        ("/ws?encoding=mp3", 400),
        ("/v1/listen?channels=900", 400),
        ("/v1/listen?model=nobodys", 400),
        ("/v1/realtime?intent=talk", 400),
    ],
)
async def test_bad_query_is_answered_as_by_the_handshake(
    start_server: Any, redis: object, address: str, status: int
) -> None:
    server = await start_server(models=("mock",))
    answer = await plain(server, address)
    assert answer == await handshake(server, address)
    assert answer[0] == status


@pytest.mark.parametrize("path", ["/ws", "/v1/listen"])
async def test_pool_without_slots_is_answered_as_by_the_handshake(
    start_server: Any, redis: object, path: str
) -> None:
    server = await start_server(slots=0)
    answer = await plain(server, path)
    assert answer == await handshake(server, path)
    assert (answer[0], answer[2]) == (503, "5")


@pytest.mark.parametrize("path", PATHS)
async def test_caller_without_a_key_is_told_so(
    start_server: Any, tmp_path: Path, path: str
) -> None:
    keys = tmp_path / "keys.json"
    entry = {"id": "a", "tenant": "a", "hash": digest(secrets.token_urlsafe(32))}
    keys.write_text(json.dumps({"keys": [entry]}), "utf-8")
    server = await start_server(keys_file=str(keys))
    answer = await plain(server, path)
    assert answer == await handshake(server, path)
    assert answer[0] == 401


async def test_asking_takes_no_place(start_server: Any, redis: object) -> None:
    """Guards the last slot: who only asks does not have it."""
    server = await start_server(slots=1)
    for _ in range(3):
        answer = await server.get("/ws?events=true")
        assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
    assert not server.hub.held.by_id
    async with server.connect():
        assert (await server.get("/ws")).status_code == 426


async def test_resume_token_that_is_asked_about_is_not_used(server: Any, mock_worker: Any) -> None:
    """Guards the connection that has the session: only a handshake takes it over."""
    async with server.connect("events=true") as client:
        token = json.loads(await client.recv())["token"]
        assert (await server.get(f"/ws?events=true&resume={token}")).status_code == 426
        await client.send(b"ab")
        assert json.loads(await client.recv())["status"] == "received"
