"""Keys and tokens are for the gatekeeper alone, whatever is done and however much is logged."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from collector import collector
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scripta_local.console import Console
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

GOOD, REVOKED, EXPIRED, NARROW, UNKNOWN, SIGNING = (
    f"scripta_{secrets.token_urlsafe(32)}" for _ in range(6)
)
WEBSOCKETS = ("/ws?events=true", "/v1/listen", "/v1/realtime?intent=transcription")
PREFIX = "openai-insecure-api-key."


def hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def entry(name: str, key: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "tenant": "acme", "hash": f"sha256:{hashed(key)}", **fields}


def write(path: Path, *, revoked: bool) -> None:
    keys = [
        entry("good", GOOD, scopes=["transcribe", "tokens", "usage"]),
        entry("expired", EXPIRED, expires="2020-01-01T00:00:00Z"),
        entry("narrow", NARROW, scopes=["usage"]),
    ]
    if not revoked:
        keys.append(entry("revoked", REVOKED))
    file = {"keys": keys, "signing": [{"id": "a", "secret": SIGNING}]}
    path.write_text(json.dumps(file), "utf-8")


def ways(path: str, key: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """Returns all ways to show a key at a path."""
    joint = "&" if "?" in path else "?"
    headers = [
        {"Authorization": f"{scheme}{key}"} for scheme in ("Bearer ", "Token ", "Basic ", "")
    ]
    return [
        *((path, {"additional_headers": each}) for each in headers),
        (path, {"subprotocols": ["token", key]}),
        (path, {"subprotocols": ["realtime", PREFIX + key]}),
        (f"{path}{joint}access_token={key}", {}),
        (f"{path}{joint}token={key}&resume={key}", {}),
    ]


async def answers(port: int, path: str, key: str) -> AsyncIterator[str]:
    """Yields what a client hears that shows a key in all ways and then says something wrong."""
    for address, options in ways(path, key):
        try:
            async with connect(f"ws://127.0.0.1:{port}{address}", proxy=None, **options) as client:
                assert client.response is not None
                yield str(client.response.headers)
                await client.send(json.dumps({"type": "nobody knows this"}))
                await client.send(b"\0" * 3200)
                yield str(await client.recv())
        except InvalidStatus as refused:
            response = refused.response
            yield f"{response.status_code} {response.headers} {response.body.decode()}"
        except ConnectionClosed as closed:
            yield str(closed)


async def listed(texts: AsyncIterator[str]) -> list[str]:
    return [text async for text in texts]


async def until_closed(socket: ClientConnection) -> AsyncIterator[str | bytes]:
    with suppress(ConnectionClosed):
        while True:
            yield await socket.recv()


async def told(client: httpx.AsyncClient, key: str) -> AsyncIterator[str]:
    """Yields what HTTP answers to a key, without those answers that are tokens."""
    for headers in ({"Authorization": f"Bearer {key}"}, {"Authorization": f"Basic {key}"}):
        # Whoever asks for a model by such a name hears that there is none; nobody else does.
        await client.get(f"/v1/models/{key}", headers=headers)
        await client.post(f"/v1/listen?model={key}&tag={key}", headers=headers, content=b"\0" * 64)
        for path in ("/v1/models", "/v1/usage", f"/{key}", f"/page/{key}"):
            answer = await client.get(path, headers=headers)
            yield f"{answer.headers} {answer.text}"
        for path in ("/v1/listen", "/v1/audio/transcriptions"):
            answer = await client.post(path, headers=headers, content=b"\0" * 64)
            yield f"{answer.headers} {answer.text}"


async def made(client: httpx.AsyncClient) -> list[str]:
    """Returns tokens, made in each vendor's way."""
    headers = {"Authorization": f"Bearer {GOOD}"}
    texts = []
    for path, body, field in (
        ("/v1/tokens", {"ttl_seconds": 60}, "token"),
        ("/v1/auth/grant", {"ttl_seconds": 60}, "access_token"),
        ("/v1/realtime/client_secrets", {"session": {"type": "transcription"}}, "value"),
    ):
        answer = await client.post(path, headers=headers, json=body)
        assert answer.status_code == 200, (path, answer.text)
        texts.append(answer.json()[field])
    return texts


async def test_no_key_or_token_is_logged_traced_counted_or_answered(tmp_path: Path) -> None:
    said: list[str] = []
    logs, file = StringIO(), tmp_path / "keys.json"
    write(file, revoked=False)
    with collector() as seen:
        env = {
            "LOG_LEVEL": "DEBUG",
            "LOG_FORMAT": "json",
            "KEYS_FILE": str(file),
            "OTEL_EXPORTER_OTLP_ENDPOINT": seen.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        async with Stack(engine="mock", env=env, console=Console(logs)) as stack:
            (port,) = stack.gateway_ports
            base = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(trust_env=False, base_url=base, timeout=30) as client:
                tokens = await made(client)
                shown = [GOOD, UNKNOWN, EXPIRED, NARROW, *tokens, f"{tokens[0]}x", SIGNING]
                revoked = {"Authorization": f"Bearer {REVOKED}"}
                async with connect(
                    f"ws://127.0.0.1:{port}/ws", proxy=None, additional_headers=revoked
                ) as session:
                    write(file, revoked=True)
                    said += [str(frame) async for frame in until_closed(session)]
                assert session.close_code == 1008
                # Together, for wrong keys are slowed.
                calls = [answers(port, path, key) for key in shown for path in WEBSOCKETS]
                for texts in await asyncio.gather(
                    *map(listed, calls), *(listed(told(client, key)) for key in shown)
                ):
                    said += texts
                file.write_text(f"keys: [{{id: a, hash: {GOOD}, secret: {SIGNING}", "utf-8")
                async with asyncio.timeout(10):
                    while "key file not used" not in logs.getvalue():  # noqa: ASYNC110 - a text
                        await asyncio.sleep(0.05)
                for metrics in (port, *stack.transcriber_ports):
                    page = await client.get(f"http://127.0.0.1:{metrics}/metrics")
                    said.append(page.text)
            await seen.until(lambda: len(seen.of("session")) > 10)
    said += [span.all_text for span in seen.spans]
    lines = logs.getvalue().splitlines()
    assert [line for line in lines if "caller refused" in line]
    assert [line for line in lines if '"level": "debug"' in line]
    plain = [GOOD, REVOKED, EXPIRED, NARROW, UNKNOWN, SIGNING, *tokens]
    hidden = [*plain, *(hashed(key) for key in plain), *(key.split(".")[-1] for key in tokens)]
    for text in [*lines, *said]:
        assert not [secret for secret in hidden if secret in text], text
