"""Callers at a gateway with keys: who is let in, who is not, and whose session ends."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from key_callers import (
    ENTRIES,
    EXPIRED,
    GOOD,
    MINT,
    MODEL,
    OTHER,
    PAGE,
    POSTS,
    REFUSED,
    SIGNING,
    UNKNOWN,
    USAGE,
    WEBSOCKETS,
    assert_own_form,
    bearer,
    ignore_close,
    minted,
    refusal_of,
    signed,
    status_of,
    write,
)
from websockets.exceptions import InvalidStatus
from websockets.protocol import State

from scripta_gateway.access.keyfile import digest
from scripta_gateway.bounds import BAD_ATTEMPTS_WAITING
from scripta_gateway.telemetry import metrics

pytestmark = pytest.mark.asgi


def spoil(path: Path) -> None:
    path.write_text("keys: [", "utf-8")


@pytest.mark.parametrize("path", WEBSOCKETS)
@pytest.mark.parametrize(("_why", "key", "status"), REFUSED, ids=[why for why, *_ in REFUSED])
async def test_handshake_is_refused_in_the_dialects_own_form(
    guarded: Any, mock_worker: Any, path: str, _why: str, key: str | None, status: int
) -> None:
    response = await refusal_of(guarded, path, key)
    assert response.status_code == status
    assert_own_form(path, json.loads(response.body), status)
    assert ("www-authenticate" in response.headers) is (status == 401)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(("_why", "key", "status"), REFUSED, ids=[why for why, *_ in REFUSED])
async def test_recording_is_refused_in_the_dialects_own_form(
    guarded: Any, mock_worker: Any, path: str, _why: str, key: str | None, status: int
) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        if path.startswith("/v1/listen"):
            sent: dict[str, Any] = {
                "content": b"\0" * 320,
                "headers": {"Content-Type": "audio/wav"},
            }
        else:
            sent = {"files": {"file": ("a.wav", b"\0" * 320)}, "data": {"model": "mock"}}
        sent["headers"] = {**sent.get("headers", {}), **(bearer(key) if key else {})}
        response = await client.post(f"http://{guarded.address}{path}", **sent)
    assert response.status_code == status
    assert_own_form(path, response.json(), status)


@pytest.mark.parametrize(("_why", "key", "status"), REFUSED[:4], ids=[w for w, *_ in REFUSED[:4]])
async def test_models_are_for_callers(
    guarded: Any, _why: str, key: str | None, status: int
) -> None:
    response = await guarded.get("/v1/models", **(bearer(key) if key else {}))
    assert response.status_code == status
    assert response.json()["error"]["message"]


async def test_caller_sees_the_models_that_it_may_use(guarded: Any, mock_worker: Any) -> None:
    seen = await guarded.get("/v1/models", **bearer(GOOD))
    restricted = await guarded.get("/v1/models", **bearer(MODEL))
    names = {model["id"] for model in seen.json()["data"]}
    fewer = {model["id"] for model in restricted.json()["data"]}
    assert "mock" in names
    assert "spare" in fewer
    assert "mock" not in fewer


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/ws", {"additional_headers": bearer(GOOD)}),
        ("/ws", {"subprotocols": ["bearer", GOOD]}),
        ("/v1/listen", {"additional_headers": {"Authorization": f"Token {GOOD}"}}),
        ("/v1/listen", {"subprotocols": ["token", GOOD]}),
        (
            "/v1/realtime?intent=transcription",
            {"subprotocols": ["realtime", f"openai-insecure-api-key.{GOOD}"]},
        ),
    ],
)
async def test_good_key_is_let_in_and_the_first_subprotocol_is_answered(
    guarded: Any, mock_worker: Any, path: str, shown: dict[str, Any]
) -> None:
    async with guarded.connect_to(path, **shown) as client:
        assert client.subprotocol == next(iter(shown.get("subprotocols", ())), None)
        (session,) = guarded.hub.held.by_id.values()
        assert (session.options.tenant, session.options.key) == ("acme", "good")


async def test_key_in_a_url_is_refused_with_what_to_do(guarded: Any) -> None:
    response = await refusal_of(guarded, f"/ws?access_token={GOOD}", None)
    assert response.status_code == 401
    assert "URL" in json.loads(response.body)["error"]


async def test_health_and_the_page_need_no_key(guarded: Any, mock_worker: Any) -> None:
    for path in ("/", "/livez", "/readyz"):
        assert (await guarded.get(path)).status_code == 200


async def test_session_of_a_revoked_key_ends_and_others_go_on(
    guarded: Any, mock_worker: Any, key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with (
        guarded.connect("events=true", additional_headers=bearer(GOOD)) as revoked,
        guarded.connect("events=true", additional_headers=bearer(OTHER)) as stays,
    ):
        write(key_file, ENTRIES[1:])
        async with asyncio.timeout(10):
            frames = [json.loads(frame) async for frame in ignore_close(revoked)]
        assert frames[-1]["code"] == "unauthorized"
        assert revoked.close_code == 1008
        await stays.send(b"ab")
        statuses = [json.loads(await stays.recv())["status"] for _ in range(3)]
        assert statuses == ["session", "received", "transcript"]
    response = await refusal_of(guarded, "/ws", GOOD)
    assert response.status_code == 401


async def test_nobody_of_another_tenant_takes_a_session_up(guarded: Any, mock_worker: Any) -> None:
    async with guarded.connect("events=true", additional_headers=bearer(GOOD)) as client:
        token = json.loads(await client.recv())["token"]
        await client.send(b"ab")
        await client.recv()
        client.transport.abort()  # whoever closes in good form does not come back
    query = f"events=true&resume={token}&from=0"
    async with guarded.connect(query, additional_headers=bearer(OTHER)) as thief:
        first = json.loads(await thief.recv())
        assert (first["resumed"], first["reason"]) == (False, "unknown")
    async with guarded.connect(query, additional_headers=bearer(GOOD)) as client:
        assert json.loads(await client.recv())["resumed"]


async def test_no_key_is_logged_or_answered_and_refusals_are(
    guarded: Any, mock_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for key in (UNKNOWN, EXPIRED, USAGE):
        assert key not in str((await refusal_of(guarded, "/ws", key)).body)
    async with guarded.connect(additional_headers=bearer(GOOD)):
        pass
    token, forged = await minted(guarded), signed(secret=UNKNOWN)
    async with guarded.connect(f"access_token={token}"):
        pass
    assert forged not in str((await refusal_of(guarded, f"/ws?access_token={forged}", None)).body)
    lines = [vars(each) for each in caplog.records if not each.name.startswith("websockets")]
    for key in (UNKNOWN, EXPIRED, USAGE, GOOD, MINT, SIGNING["secret"], token, forged):
        assert not [line for line in lines if key in str(line)]
    refused = [line for line in lines if line["message"] == "caller refused"]
    reasons = [line["reason"] for line in refused]
    assert reasons == ["unauthorized", "unauthorized", "forbidden", "unauthorized"]
    assert refused[2]["key"] == "usage"
    assert refused[2]["tenant"] == "acme"
    assert refused[2]["address"] == "127.0.0.1"


@pytest.mark.parametrize("path", WEBSOCKETS)
@pytest.mark.parametrize(
    ("origin", "let_in"),
    [
        (None, True),
        ("https://app.acme.example", True),
        ("https://acme.example.evil.example", False),
        ("http://app.acme.example", False),
        ("null", False),
    ],
)
async def test_key_of_a_page_is_for_its_origins(
    guarded: Any, mock_worker: Any, path: str, origin: str | None, let_in: bool
) -> None:
    if let_in:
        async with guarded.connect_to(path, additional_headers=bearer(PAGE), origin=origin):
            return
    with pytest.raises(InvalidStatus) as refused:
        await guarded.connect_to(path, additional_headers=bearer(PAGE), origin=origin)
    assert refused.value.response.status_code == 403
    assert_own_form(path, json.loads(refused.value.response.body), 403)


async def test_open_gateway_takes_whatever_a_client_shows(server: Any, mock_worker: Any) -> None:
    """Guards clients behind a proxy with a password, and vendors' clients with their own keys."""
    for shown in ("Basic c2NyaXB0YTprZXk=", "Token vendors-key", "nonsense"):
        async with server.connect(additional_headers={"Authorization": shown}) as client:
            await client.send(b"ab")
            assert json.loads(await client.recv())["status"] == "received"
    async with server.connect_to("/v1/listen", subprotocols=["token", "vendors-key"]) as client:
        assert client.subprotocol == "token"


async def test_key_file_is_replaced_under_twenty_sessions(
    guarded: Any, mock_worker: Any, key_file: Path, until: Any
) -> None:
    """Guards that nothing is cut but what was revoked, while a new key works at once."""
    async with AsyncExitStack() as stack:
        revoked, staying = [], []
        for number in range(20):
            key, group = (GOOD, revoked) if number % 2 else (OTHER, staying)
            connection = guarded.connect("events=true", additional_headers=bearer(key))
            group.append(await stack.enter_async_context(connection))
        write(key_file, [*ENTRIES[1:], {"id": "new", "tenant": "acme", "hash": digest(UNKNOWN)}])
        await until(lambda: all(client.state is State.CLOSED for client in revoked))
        assert {client.close_code for client in revoked} == {1008}
        for client in staying:
            assert client.state is State.OPEN
            await client.send(b"ab")
            statuses = [json.loads(await client.recv())["status"] for _ in range(3)]
            assert statuses == ["session", "received", "transcript"]
        async with guarded.connect(additional_headers=bearer(UNKNOWN)):
            pass


async def test_bad_key_file_cuts_nobody(
    guarded: Any, mock_worker: Any, key_file: Path, until: Any
) -> None:
    async with guarded.connect(additional_headers=bearer(GOOD)) as client:
        spoil(key_file)
        await until(lambda: metrics.KEY_FILE_FAILING._value.get() == 1)
        await client.send(b"ab")
        assert json.loads(await client.recv())["status"] == "received"
        write(key_file, ENTRIES)
        await until(lambda: metrics.KEY_FILE_FAILING._value.get() == 0)


async def test_wrong_keys_of_one_address_are_slowed_and_good_ones_are_not(
    guarded: Any, mock_worker: Any
) -> None:
    tries = (status_of(guarded, UNKNOWN) for _ in range(BAD_ATTEMPTS_WAITING + 60))
    assert set(await asyncio.gather(*tries)) == {401, 429}
    began = asyncio.get_running_loop().time()
    slowed = asyncio.create_task(status_of(guarded, UNKNOWN))
    async with guarded.connect(additional_headers=bearer(GOOD)):
        assert not slowed.done()
    assert await slowed == 401
    assert asyncio.get_running_loop().time() - began > 1
