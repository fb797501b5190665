"""Short-lived tokens in place of keys, at every path and in every dialect's form."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from key_callers import (
    ENTRIES,
    MINT,
    POSTS,
    UNKNOWN,
    WEBSOCKETS,
    assert_own_form,
    bearer,
    ignore_close,
    minted,
    post_recording,
    signed,
    write,
)
from websockets.exceptions import InvalidStatus

pytestmark = pytest.mark.asgi

BAD_TOKENS = [
    ("forged", {"secret": UNKNOWN}, 401),
    ("expired", {"iat": 1_700_000_000, "exp": 1_700_000_060}, 401),
    ("of no key", {"sub": "nobody"}, 401),
    ("of an expired key", {"sub": "expired"}, 401),
    ("of another tenant", {"tenant": "rival"}, 401),
    ("of a key that may not", {"sub": "usage"}, 403),
    ("wrong model", {"models": ["spare"]}, 403),
    ("of a key for others", {"sub": "model"}, 403),
    ("wrong origin", {"origins": ["https://acme.example"]}, 403),
]
each_bad_token = pytest.mark.parametrize(
    ("changed", "status"),
    [(changed, status) for _, changed, status in BAD_TOKENS],
    ids=[why for why, *_ in BAD_TOKENS],
)


@pytest.mark.parametrize("shown", ["Bearer", "Token", "subprotocol", "query"])
@pytest.mark.parametrize("path", WEBSOCKETS)
async def test_token_is_let_in_instead_of_its_key(
    guarded: Any, mock_worker: Any, path: str, shown: str
) -> None:
    token = await minted(guarded)
    options: dict[str, Any] = {}
    if shown == "query":
        path += f"&access_token={token}"
    elif shown == "subprotocol" and "realtime" in path:
        options["subprotocols"] = ["realtime", f"openai-insecure-api-key.{token}"]
    elif shown == "subprotocol":
        options["subprotocols"] = ["bearer", token]
    else:
        options["additional_headers"] = {"Authorization": f"{shown} {token}"}
    async with guarded.connect_to(path, **options) as client:
        assert client.subprotocol == next(iter(options.get("subprotocols", ())), None)
        (session,) = guarded.hub.held.by_id.values()
        assert (session.options.tenant, session.options.key) == ("acme", "mint")


@each_bad_token
@pytest.mark.parametrize("path", WEBSOCKETS)
async def test_bad_token_is_refused_in_the_dialects_own_form(
    guarded: Any, mock_worker: Any, path: str, changed: dict[str, Any], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await guarded.connect_to(
            path, additional_headers=bearer(signed(**changed)), origin="https://evil.example"
        )
    response = refused.value.response
    assert response.status_code == status
    assert_own_form(path, json.loads(response.body), status)


@pytest.mark.parametrize("where", ["header", "query"])
@pytest.mark.parametrize("path", POSTS)
async def test_token_posts_recordings_instead_of_its_key(
    guarded: Any, mock_worker: Any, path: str, where: str
) -> None:
    token = await minted(guarded)
    response = await post_recording(guarded, path, **{where: token})
    assert response.status_code == 200, response.text


@each_bad_token
@pytest.mark.parametrize("path", POSTS)
async def test_recording_with_a_bad_token_is_refused_in_the_dialects_own_form(
    guarded: Any, mock_worker: Any, path: str, changed: dict[str, Any], status: int
) -> None:
    response = await post_recording(guarded, path, header=signed(**changed))
    assert response.status_code == status
    assert_own_form(path, response.json(), status)


async def test_token_is_for_nothing_but_transcription(guarded: Any) -> None:
    token = await minted(guarded)
    assert (await guarded.get("/v1/models", **bearer(token))).status_code == 200
    assert (await guarded.get("/v1/usage", **bearer(token))).status_code == 403
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://{guarded.address}/v1/tokens"
        assert (await client.post(url, headers=bearer(token))).status_code == 403


async def test_sessions_outlive_their_token_and_end_with_its_key(
    guarded: Any, mock_worker: Any, key_file: Path
) -> None:
    token = await minted(guarded, ttl_seconds=1)
    async with guarded.connect("events=true", additional_headers=bearer(token)) as client:
        while (await status_shown(guarded, token)) != 401:  # noqa: ASYNC110 - a clock's second
            await asyncio.sleep(0.05)
        await client.send(b"ab")
        statuses = [json.loads(await client.recv())["status"] for _ in range(3)]
        assert statuses == ["session", "received", "transcript"]
        write(key_file, ENTRIES[:-1])
        async with asyncio.timeout(10):
            frames = [json.loads(frame) async for frame in ignore_close(client)]
        assert frames[-1]["code"] == "unauthorized"


async def status_shown(server: Any, key: str) -> int:
    return int((await server.get("/v1/models", **bearer(key))).status_code)


async def test_tokens_of_a_tenant_are_revoked_together(
    guarded: Any, mock_worker: Any, key_file: Path
) -> None:
    token = await minted(guarded)
    later = datetime.fromtimestamp(int(time.time()) + 1, UTC).isoformat()
    async with guarded.connect("events=true", additional_headers=bearer(token)) as client:
        write(key_file, ENTRIES, tenants={"acme": {"tokens_not_before": later}})
        async with asyncio.timeout(10):
            frames = [json.loads(frame) async for frame in ignore_close(client)]
        assert frames[-1]["code"] == "unauthorized"
    assert await status_shown(guarded, token) == 401
    assert await status_shown(guarded, MINT) == 200
