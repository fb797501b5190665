"""Whose address a client's is, behind proxies that may and may not be believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from scripta_gateway.access.proxies import TrustedProxies, is_loopback
from scripta_gateway.dialects.deepgram import PrerecordedDialect
from scripta_gateway.dialects.native import NativeDialect
from scripta_gateway.settings import GatewaySettings
from scripta_gateway.transports.base import Request

INNER = "10.0.0.0/8, 192.0.2.7, 2001:db8::/32"

each_chain = pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        pytest.param("", "10.0.0.1", ["1.1.1.1"], "10.0.0.1", id="nobody is trusted"),
        pytest.param(INNER, "8.8.8.8", ["1.1.1.1"], "8.8.8.8", id="a stranger says who calls"),
        pytest.param(INNER, "10.0.0.1", [], "10.0.0.1", id="the proxy itself calls"),
        pytest.param(INNER, "10.0.0.1", ["1.1.1.1"], "1.1.1.1", id="one proxy"),
        pytest.param(INNER, "10.0.0.1", ["6.6.6.6, 1.1.1.1"], "1.1.1.1", id="an invented one"),
        pytest.param(INNER, "10.0.0.1", ["6.6.6.6", "1.1.1.1"], "1.1.1.1", id="in a line before"),
        pytest.param(INNER, "10.0.0.1", ["1.1.1.1,192.0.2.7"], "1.1.1.1", id="two proxies"),
        pytest.param(INNER, "10.0.0.1", ["10.1.1.1"], "10.1.1.1", id="all are trusted"),
        pytest.param(INNER, "10.0.0.1", ["1.1.1.1, unknown"], "10.0.0.1", id="no address"),
        pytest.param(INNER, "10.0.0.1", ["1.1.1.1,"], "10.0.0.1", id="nothing"),
        pytest.param(INNER, "10.0.0.1", ["1.1.1.1:4711"], "1.1.1.1", id="with a port"),
        pytest.param(INNER, "10.0.0.1", ["[2600::1]:4711"], "2600::1", id="IPv6 with a port"),
        pytest.param(INNER, "2001:db8::5", ['"2600::0:1"'], "2600::1", id="IPv6, not its shortest"),
        pytest.param(INNER, "::ffff:10.0.0.1", ["1.1.1.1"], "1.1.1.1", id="IPv4 mapped, a proxy"),
        pytest.param("::/0", "10.0.0.1", ["::ffff:1.1.1.1"], "1.1.1.1", id="IPv4 mapped, a client"),
        pytest.param(INNER, "fe80::1%eth0", [], "fe80::1", id="with a zone"),
        pytest.param(INNER, "", ["1.1.1.1"], "", id="a socket without addresses"),
    ],
)


@pytest.mark.unit
@each_chain
def test_client_is_the_first_from_the_right_that_is_no_trusted_proxy(
    trusted: str, peer: str, forwarded: list[str], client: str
) -> None:
    """Guards clients that choose the address they are known by."""
    assert TrustedProxies.parse(trusted).client_of(peer, forwarded) == client


@pytest.mark.unit
def test_addresses_of_the_machine_itself_are_known_in_any_form() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1")))
    assert not any(map(is_loopback, ("10.0.0.1", "", "localhost", "::2")))


@pytest.mark.unit
@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1 ::1"])
def test_proxy_that_is_no_address_is_a_bad_setting(text: str) -> None:
    with pytest.raises(ValidationError, match="trusted_proxies"):
        GatewaySettings(trusted_proxies=text)


@pytest.mark.asgi
@pytest.mark.parametrize(("trusted", "client"), [("", "127.0.0.1"), ("127.0.0.0/8", "203.0.113.9")])
async def test_dialect_knows_the_address_that_trusted_proxies_say(
    redis: object,
    start_server: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    trusted: str,
    client: str,
) -> None:
    """Guards uvicorn's own reading of the header, which believes all of this machine."""
    seen: list[str] = []
    for dialect in (NativeDialect, PrerecordedDialect):
        _record(monkeypatch, dialect, seen)
    server = await start_server(trusted_proxies=trusted)
    forwarded = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
    async with server.connect(additional_headers=forwarded):
        pass
    async with httpx.AsyncClient(trust_env=False) as http:
        url = f"http://{server.address}/v1/listen?model=none-of-this-name"
        await http.post(url, headers=forwarded, content=b"x")
    assert seen == [client, client]


def _record(monkeypatch: pytest.MonkeyPatch, dialect: Any, seen: list[str]) -> None:
    begin = dialect.begin

    def recorded(self: Any, request: Request) -> Any:
        seen.append(request.client)
        return begin(self, request)

    monkeypatch.setattr(dialect, "begin", recorded)
