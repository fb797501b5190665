"""How short-lived tokens are asked for, in each form, and how a call begins that one opens."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from scripta_gateway.access.keyfile import digest
from scripta_gateway.bounds import REQUEST_BODY_BYTES, TOKEN_SECONDS

pytestmark = pytest.mark.asgi

MINT, NARROW, PLAIN = (secrets.token_urlsafe(32) for _ in range(3))
BOTH = ["transcribe", "tokens"]
ENTRIES: tuple[dict[str, Any], ...] = (
    {"id": "mint", "tenant": "acme", "hash": digest(MINT), "scopes": BOTH},
    {
        "id": "narrow",
        "tenant": "acme",
        "hash": digest(NARROW),
        "scopes": BOTH,
        "models": ["mock"],
        "origins": ["https://*.acme.example"],
        "limits": {"sessions": 5},
    },
    {"id": "plain", "tenant": "acme", "hash": digest(PLAIN)},
)
SIGNING = [{"id": "first", "secret": secrets.token_urlsafe(32)}]
NATIVE, GRANT = "/v1/tokens", "/v1/auth/grant"
SECRETS, BETA = "/v1/realtime/client_secrets", "/v1/realtime/transcription_sessions"
PATHS = (NATIVE, GRANT, SECRETS, BETA)
SESSION = {
    "type": "transcription",
    "audio": {
        "input": {
            "format": {"type": "audio/pcmu"},
            "transcription": {"model": "own", "language": "en"},
            "turn_detection": None,
        }
    },
}
each_path = pytest.mark.parametrize("path", PATHS)


def write(path: Path, **more: Any) -> str:
    path.write_text(json.dumps({"keys": ENTRIES, "signing": SIGNING, **more}), "utf-8")
    return str(path)


@pytest_asyncio.fixture
async def guarded(redis: object, start_server: Callable[..., Any], tmp_path: Path) -> Any:
    """A gateway that asks for keys."""
    return await start_server(
        keys_file=write(tmp_path / "keys.json"),
        models=("mock", "spare"),
        model_names="own=mock",
        allowed_origins="*",
    )


async def ask(server: Any, path: str, key: str = MINT, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(f"http://{server.address}{path}", headers=headers, **more)


def token_in(path: str, answer: dict[str, Any]) -> str:
    names = {NATIVE: "token", GRANT: "access_token", SECRETS: "value"}
    token = answer["client_secret"]["value"] if path == BETA else answer[names[path]]
    return str(token)


def error_in(path: str, answer: dict[str, Any]) -> str:
    found = answer["err_msg"] if path == GRANT else answer["error"]
    return str(found["message"] if isinstance(found, dict) else found)


@each_path
async def test_token_is_made_in_the_form_of_its_path_and_kept_by_nobody(
    guarded: Any, mock_worker: Any, path: str
) -> None:
    for body in (None, b"{}"):
        answer = await ask(guarded, path, content=body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
    async with guarded.connect(f"access_token={token_in(path, answer.json())}"):
        (session,) = guarded.hub.held.by_id.values()
        assert session.options.key == "mint"


TIMES: list[tuple[str, dict[str, Any], int]] = [
    (NATIVE, {}, 60),
    (NATIVE, {"ttl_seconds": TOKEN_SECONDS}, TOKEN_SECONDS),
    (GRANT, {}, 30),
    (GRANT, {"ttl_seconds": 3600.0}, 3600),
    (SECRETS, {}, 600),
    (SECRETS, {"expires_after": {"anchor": "created_at", "seconds": 10}}, 10),
    (BETA, {}, 600),
    (BETA, {"client_secret": {"expires_at": {"anchor": "created_at", "seconds": 60}}}, 60),
]


@pytest.mark.parametrize(("path", "asked", "seconds"), TIMES)
async def test_token_lives_as_long_as_is_asked_for(
    guarded: Any, path: str, asked: dict[str, Any], seconds: int
) -> None:
    answer = (await ask(guarded, path, json=asked)).json()
    if path in (NATIVE, GRANT):
        assert answer["expires_in"] == seconds
    else:
        found = answer["client_secret"] if path == BETA else answer
        assert found["expires_at"] == pytest.approx(time.time() + seconds, abs=5)


def of_model(**transcription: Any) -> dict[str, Any]:
    return {"session": {"audio": {"input": {"transcription": transcription}}}}


BAD: list[tuple[str, Any, str]] = [
    (NATIVE, {"ttl_seconds": 0}, "ttl_seconds"),
    (NATIVE, {"ttl_seconds": TOKEN_SECONDS + 1}, "ttl_seconds"),
    (NATIVE, {"ttl_seconds": "60"}, "ttl_seconds"),
    (NATIVE, {"ttl": 60}, "ttl"),
    (NATIVE, {"limits": {"sessions": -1}}, "sessions"),
    (NATIVE, {"models": [""]}, "models"),
    (NATIVE, {"origins": ["app.example/page"]}, "origins"),
    (GRANT, {"ttl_seconds": 3601}, "3600"),
    (GRANT, [], "ttl_seconds"),
    (SECRETS, {"expires_after": {"seconds": 9}}, "expires_after.seconds"),
    (SECRETS, {"expires_after": {"anchor": "now"}}, "expires_after.anchor"),
    (SECRETS, {"session": {"type": "realtime"}}, "session.type"),
    (SECRETS, {"session": {"audio": {"input": {"format": {"rate": 1}}}}}, "rate"),
    (SECRETS, of_model(model="gpt-realtime"), "gpt-realtime"),
    (SECRETS, of_model(prompt="x" * 4096), "4096"),
    (BETA, {"input_audio_format": "mp3"}, "format"),
    (BETA, {"client_secret": {"expires_at": {"seconds": 7201}}}, "expires_at.seconds"),
]


@pytest.mark.parametrize(("path", "asked", "named"), BAD)
async def test_what_can_not_be_is_refused_by_name(
    guarded: Any, path: str, asked: Any, named: str
) -> None:
    answer = await ask(guarded, path, json=asked)
    assert answer.status_code == 400, answer.text
    assert named in error_in(path, answer.json())


@each_path
async def test_only_keys_with_the_scope_make_tokens(guarded: Any, path: str) -> None:
    for key, status in ((PLAIN, 403), ("unknown", 401)):
        answer = await ask(guarded, path, key)
        assert answer.status_code == status
        assert error_in(path, answer.json())


@each_path
@pytest.mark.parametrize("body", [b"{", b"[" * 5000, b"\xff", b"null"])
async def test_nonsense_is_refused(guarded: Any, path: str, body: bytes) -> None:
    answer = await ask(guarded, path, content=body)
    assert answer.status_code == 400
    assert error_in(path, answer.json())


@each_path
async def test_request_that_is_too_large_is_not_read(guarded: Any, path: str) -> None:
    answer = await ask(guarded, path, content=b" " * (REQUEST_BODY_BYTES + 1))
    assert answer.status_code == 413


@each_path
async def test_without_signing_secrets_it_is_said_what_to_add(
    redis: object, start_server: Callable[..., Any], tmp_path: Path, path: str
) -> None:
    server = await start_server(keys_file=write(tmp_path / "keys.json", signing=[]))
    answer = await ask(server, path)
    assert answer.status_code == 403
    assert "`signing`" in error_in(path, answer.json())


async def test_token_has_no_more_than_its_key(guarded: Any) -> None:
    wishes = ({"models": ["spare"]}, {"origins": ["https://evil.example"]})
    for wish in wishes:
        answer = await ask(guarded, NATIVE, NARROW, json=wish)
        assert (answer.status_code, answer.json()["status"]) == (403, "error")
    wish = {"models": ["mock"], "origins": ["https://a.acme.example"], "limits": {"sessions": 9}}
    assert (await ask(guarded, NATIVE, NARROW, json=wish)).status_code == 200


async def test_page_of_another_origin_makes_no_token(guarded: Any) -> None:
    answer = await ask(guarded, NATIVE, NARROW, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


async def begun(server: Any, path: str, token: str) -> dict[str, Any]:
    """Returns how a client hears its session, which has said nothing of it."""
    offered = ["realtime", f"openai-insecure-api-key.{token}"]
    async with server.connect_to(path, subprotocols=offered) as client:
        session = json.loads(await client.recv())["session"]
        assert isinstance(session, dict)
        return session


async def test_call_begins_with_the_session_of_its_secret(guarded: Any, mock_worker: Any) -> None:
    """Guards pages that leave all options to the server which asks for their secret."""
    answer = (await ask(guarded, SECRETS, json={"session": SESSION})).json()
    path = "/v1/realtime?intent=transcription"
    for session in (answer["session"], await begun(guarded, path, answer["value"])):
        found = session["audio"]["input"]
        assert found["format"] == {"type": "audio/pcmu"}
        assert found["transcription"] == {"model": "own", "language": "en"}
        assert found["turn_detection"] is None
    assert answer["session"]["object"] == "realtime.transcription_session"
    assert answer["session"]["id"].startswith("sess_")


async def test_secret_of_a_model_is_for_that_model(guarded: Any, mock_worker: Any) -> None:
    secret = (await ask(guarded, SECRETS, json={"session": SESSION})).json()["value"]
    shown = {"Authorization": f"Bearer {secret}"}
    for model, status in (("own", 200), ("mock", 200), ("spare", 403)):
        path = f"/v1/listen?model={model}&encoding=linear16&sample_rate=16000"
        async with httpx.AsyncClient(trust_env=False) as client:
            url = f"http://{guarded.address}{path}"
            answer = await client.post(url, content=bytes(320), headers=shown)
        assert answer.status_code == status, answer.text


async def test_beta_answers_in_its_own_shape(guarded: Any, mock_worker: Any) -> None:
    asked = {"input_audio_format": "g711_ulaw", "turn_detection": None}
    answer = (await ask(guarded, BETA, json=asked)).json()
    assert answer["input_audio_format"] == "g711_ulaw"
    assert answer["turn_detection"] is None
    path = "/v1/realtime?intent=transcription"
    session = await begun(guarded, path, answer["client_secret"]["value"])
    assert session["audio"]["input"]["format"] == {"type": "audio/pcmu"}


@each_path
async def test_open_gateway_makes_tokens_for_pages_that_ask_first(
    server: Any, mock_worker: Any, path: str
) -> None:
    answer = await ask(server, path, "whatever")
    assert answer.status_code == 200, answer.text
    async with server.connect(f"access_token={token_in(path, answer.json())}") as client:
        await client.send(b"ab")
        assert json.loads(await client.recv())["status"] == "received"


async def test_open_gateway_begins_with_the_session_of_a_secret(
    server: Any, mock_worker: Any
) -> None:
    secret = (await ask(server, SECRETS, json={"session": SESSION})).json()["value"]
    session = await begun(server, "/v1/realtime?intent=transcription&model=whisper-1", secret)
    found = session["audio"]["input"]
    assert found["format"] == {"type": "audio/pcmu"}
    assert found["transcription"] == {"model": "whisper-1", "language": "en"}
