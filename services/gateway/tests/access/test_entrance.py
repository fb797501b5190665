"""Browsers' pages at the doors of a gateway: who gets in, who hears why not, and in which form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from scripta_local.ports import free_port

pytestmark = pytest.mark.asgi

FOREIGN = "https://evil.example"
APP = "https://app.example.com"
PATHS = ("/ws", "/v1/listen", "/v1/realtime?intent=transcription", "/vosk")


class Browser:
    """Calls a gateway as a page of some origin does."""

    def __init__(self, server: Any) -> None:
        self.own = f"http://{server.address}"
        self._address = server.address

    async def upgrade(self, path: str, origin: str | None, host: str = "") -> tuple[int, bytes]:
        """Returns the status and the body of the answer to a handshake."""
        try:
            async with connect(
                f"ws://{host or self._address}{path}",
                proxy=None,
                origin=origin,  # type: ignore[arg-type]
                host="127.0.0.1",
                port=int(self._address.rpartition(":")[2]),
            ):
                return 101, b""
        except InvalidStatus as refused:
            return refused.response.status_code, bytes(refused.response.body or b"")

    async def request(self, method: str, path: str, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            url = f"{self.own}{path}"
            content = b"x" if method == "POST" else None
            return await client.request(method, url, headers=headers, content=content)


@pytest_asyncio.fixture
async def start(redis: object, start_server: Callable[..., Any]) -> Callable[..., Any]:
    """Starts a gateway with all dialects of WebSockets and returns a browser for it."""

    async def browser(**settings: Any) -> Browser:
        return Browser(await start_server(vosk_port=free_port(), **settings))

    return browser


async def test_page_of_another_host_opens_no_websocket_in_any_dialect(start: Any) -> None:
    """Guards against pages that speak through their visitor's browser to whoever it reaches."""
    browser = await start()
    for path in PATHS:
        for origin in (FOREIGN, "null", "http://127.0.0.1:1"):
            status, body = await browser.upgrade(path, origin)
            assert (status, b"ALLOWED_ORIGINS" in body) == (403, True), (path, origin)
        for origin in (browser.own, None):
            assert await browser.upgrade(path, origin) == (101, b""), (path, origin)


async def test_refusal_has_the_form_of_the_dialect(start: Any) -> None:
    browser = await start()
    forms = [await browser.upgrade(path, FOREIGN) for path in PATHS[:3]]
    assert all(body.startswith(b"{") for _, body in forms)
    native, deepgram, openai = (body for _, body in forms)
    assert b'"status":"error"' in native.replace(b" ", b"")
    assert b'"err_code"' in deepgram
    assert b'"error":{' in openai.replace(b" ", b"")
    posted = await browser.request("POST", "/v1/listen", origin=FOREIGN)
    assert (posted.status_code, "err_code" in posted.json()) == (403, True)
    models = await browser.request("GET", "/v1/models", origin=FOREIGN)
    assert (models.status_code, "type" in models.json()["error"]) == (403, True)


async def test_listed_pages_get_in_and_the_own_host_no_more_unless_listed(start: Any) -> None:
    browser = await start(allowed_origins=f"{APP}, https://*.trusted.example")
    for origin in (APP, "https://a.b.trusted.example", None):
        assert (await browser.upgrade("/ws", origin))[0] == 101
    for origin in (browser.own, FOREIGN, "https://trusted.example"):
        assert (await browser.upgrade("/ws", origin))[0] == 403


@pytest.mark.parametrize("path", ["/", "/health", "/v1/models", "/metrics", "/nothing"])
async def test_foreign_page_reads_nothing_by_script(start: Any, path: str) -> None:
    browser = await start()
    answer = await browser.request("GET", path, origin=FOREIGN)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert (await browser.request("GET", path)).status_code != 403


async def test_allowed_page_reads_answers_and_their_headers(start: Any) -> None:
    """Guards pages that get an answer which their browser does not show them."""
    browser = await start(allowed_origins=APP)
    models = await browser.request("GET", "/v1/models", origin=APP)
    assert models.status_code == 200
    refused = await browser.request("POST", "/v1/listen?encoding=linear16", origin=APP)
    assert refused.status_code == 400
    for answer in (models, refused):
        assert answer.headers["access-control-allow-origin"] == APP
        assert "origin" in answer.headers["vary"].lower()
        assert "access-control-allow-credentials" not in answer.headers
    readable = refused.headers["access-control-expose-headers"].split(", ")
    assert {"scripta-request", "dg-request-id"} <= set(readable)
    assert "*" not in readable


async def test_browser_that_asks_first_hears_what_the_page_may_send(start: Any) -> None:
    browser = await start(allowed_origins=APP)
    asked = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type,x-own",
    }
    answer = await browser.request("OPTIONS", "/v1/listen", origin=APP, **asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type, x-own"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in answer.headers
    refused = await browser.request("OPTIONS", "/v1/listen", origin=FOREIGN, **asked)
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers


async def test_name_that_leads_to_this_machine_is_refused(start: Any) -> None:
    """Guards a laptop against pages that give their own name this machine's address."""
    browser = await start()
    for host in ("evil.example", "127.0.0.1.evil.example"):
        for origin in (f"http://{host}", None):
            assert (await browser.upgrade("/ws", origin, host))[0] == 403
        for path in ("/metrics", "/config", "/", "/v1/models"):
            assert (await browser.request("GET", path, host=host)).status_code == 403
        assert (await browser.request("POST", "/v1/listen", host=host)).status_code == 403
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert (await browser.upgrade("/ws", None, host))[0] == 101
        assert (await browser.request("GET", "/config", host=host)).status_code == 200


async def test_forwarded_address_does_not_make_a_local_client_a_distant_one(start: Any) -> None:
    browser = await start(trusted_proxies="127.0.0.1")
    headers = {"host": "evil.example", "x-forwarded-for": "203.0.113.9"}
    assert (await browser.request("GET", "/config", **headers)).status_code == 403


async def test_operator_can_list_the_names_of_hosts(start: Any) -> None:
    browser = await start(allowed_hosts="speech.example")
    assert (await browser.request("GET", "/health", host="speech.example")).status_code == 200
    assert (await browser.request("GET", "/health", host="other.example")).status_code == 403
    assert (await browser.upgrade("/ws", "http://speech.example", "speech.example"))[0] == 101


async def test_operators_port_is_guarded_likewise(start: Any, start_server: Any) -> None:
    admin = free_port()
    await start(admin_port=admin)
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{admin}/config"
        assert (await client.get(url)).status_code == 200
        assert (await client.get(url, headers={"Host": "evil.example"})).status_code == 403
        assert (await client.get(url, headers={"Origin": FOREIGN})).status_code == 403
