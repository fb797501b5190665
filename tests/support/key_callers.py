"""Callers of a gateway that asks for keys: their keys and tokens, and how they come."""

from __future__ import annotations

import io
import json
import secrets
import time
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scripta_gateway.access.keyfile import digest
from scripta_gateway.access.short_tokens import KIND

GOOD, OTHER, EXPIRED, USAGE, MODEL, PAGE, MINT = (secrets.token_urlsafe(32) for _ in range(7))
UNKNOWN = secrets.token_urlsafe(32)
SIGNING = {"id": "first", "secret": secrets.token_urlsafe(32)}
ENTRIES: Sequence[dict[str, Any]] = (
    {"id": "good", "tenant": "acme", "hash": digest(GOOD)},
    {"id": "other", "tenant": "rival", "hash": digest(OTHER)},
    {
        "id": "expired",
        "tenant": "acme",
        "hash": digest(EXPIRED),
        "expires": "2020-01-01T00:00:00Z",
    },
    {"id": "usage", "tenant": "acme", "hash": digest(USAGE), "scopes": ["usage"]},
    {
        "id": "page",
        "tenant": "acme",
        "hash": digest(PAGE),
        "origins": ["https://*.acme.example"],
    },
    {"id": "model", "tenant": "acme", "hash": digest(MODEL), "models": ["spare"]},
    {"id": "mint", "tenant": "acme", "hash": digest(MINT), "scopes": ["transcribe", "tokens"]},
)


def write(path: Path, entries: Sequence[dict[str, Any]], **more: Any) -> None:
    path.write_text(json.dumps({"keys": entries, "signing": [SIGNING], **more}), "utf-8")


async def ignore_close(client: Any) -> AsyncIterator[str]:
    with suppress(ConnectionClosed):
        while True:
            yield await client.recv()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


WEBSOCKETS = (
    "/ws?model=mock",
    "/v1/listen?model=mock",
    "/v1/realtime?intent=transcription&model=mock",
)
POSTS = ("/v1/listen?model=mock", "/v1/audio/transcriptions")
REFUSED = [
    ("no key", None, 401),
    ("bad key", UNKNOWN, 401),
    ("expired", EXPIRED, 401),
    ("wrong scope", USAGE, 403),
    ("wrong model", MODEL, 403),
]


async def refusal_of(server: Any, path: str, key: str | None) -> Any:
    headers = bearer(key) if key else {}
    with pytest.raises(InvalidStatus) as refused:
        await server.connect_to(path, additional_headers=headers)
    return refused.value.response


def assert_own_form(path: str, body: dict[str, Any], status: int) -> None:
    if path.startswith("/v1/listen"):
        codes = {401: "INVALID_AUTH", 403: "INSUFFICIENT_PERMISSIONS"}
        assert body["err_code"] == codes[status]
        assert body["request_id"]
    elif path.startswith("/ws"):
        assert body["status"] == "error"
        assert body["error"]
    else:
        assert body["error"]["type"] == "invalid_request_error"
        assert body["error"]["code"] == ("invalid_api_key" if status == 401 else "forbidden")


async def minted(server: Any, key: str = MINT, **wish: Any) -> str:
    """Returns a short-lived token."""
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://{server.address}/v1/tokens"
        answer = await client.post(url, json=wish, headers=bearer(key))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


def signed(secret: str = SIGNING["secret"], **changed: Any) -> str:
    """Returns a token that no gateway has made."""
    now = int(time.time())
    said = {"sub": "mint", "tenant": "acme", "iat": now, "exp": now + 60, **changed}
    return jwt.encode(said, secret, "HS256", {"typ": KIND, "kid": SIGNING["id"]})


async def post_recording(
    server: Any, path: str, header: str | None = None, query: str | None = None
) -> httpx.Response:
    """Posts a recording of a page that shows a token."""
    recording = wave_file(1600)
    more: dict[str, Any] = {"headers": {"Origin": "https://evil.example"}}
    if header is not None:
        more["headers"] |= bearer(header)
    if query is not None:
        more["params"] = {**httpx.QueryParams(path.partition("?")[2]), "access_token": query}
    if path.startswith("/v1/listen"):
        more["content"] = recording
    else:
        more |= {"files": {"file": ("a.wav", recording)}, "data": {"model": "mock"}}
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(f"http://{server.address}{path}", **more)


def wave_file(samples: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 16_000, samples, "NONE", ""))
        writer.writeframes(bytes(2 * samples))
    return file.getvalue()


async def status_of(server: Any, key: str) -> int:
    with pytest.raises(InvalidStatus) as refused:
        await server.connect(additional_headers=bearer(key), open_timeout=30)
    return int(refused.value.response.status_code)
