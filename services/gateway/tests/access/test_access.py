"""Callers at a gateway with keys: who is let in, who is not, and whose session ends."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import secrets
import time
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.protocol import State

from scripta_gateway.access import keyring
from scripta_gateway.access.keyfile import digest
from scripta_gateway.access.short_tokens import KIND
from scripta_gateway.bounds import BAD_ATTEMPTS_WAITING
from scripta_gateway.telemetry import metrics

pytestmark = pytest.mark.asgi

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


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(keyring, "CHECK_SECONDS", 0.05)
    path = tmp_path / "keys.json"
    write(path, ENTRIES)
    return path


def write(path: Path, entries: Sequence[dict[str, Any]], **more: Any) -> None:
    path.write_text(json.dumps({"keys": entries, "signing": [SIGNING], **more}), "utf-8")


def spoil(path: Path) -> None:
    path.write_text("keys: [", "utf-8")


async def ignore_close(client: Any) -> AsyncIterator[str]:
    with suppress(ConnectionClosed):
        while True:
            yield await client.recv()


@pytest_asyncio.fixture
async def guarded(redis: object, start_server: Callable[..., Any], key_file: Path) -> Any:
    """A gateway that asks for keys."""
    return await start_server(
        keys_file=str(key_file), models=("mock", "spare"), allowed_origins="*"
    )


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


async def status_of(server: Any, key: str) -> int:
    with pytest.raises(InvalidStatus) as refused:
        await server.connect(additional_headers=bearer(key), open_timeout=30)
    return int(refused.value.response.status_code)
