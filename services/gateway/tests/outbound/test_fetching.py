"""Recordings that are fetched from a URL, over real sockets: what comes of hosts of every kind."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any

import httpx
import pytest
import trustme
from outside import Asked, Outside, give, outside, wav

from scripta_gateway.outbound import requesting, resolving
from scripta_gateway.outbound.fetching import CannotFetch, Fetcher
from scripta_gateway.outbound.resolving import Resolver
from scripta_gateway.outbound.targets import Address, Allowlist, BadTarget
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.metrics import Fetched

pytestmark = pytest.mark.asgi

Until = Callable[..., Awaitable[None]]
MIB = 1024 * 1024


async def ask(server: Any, url: object, **options: Any) -> httpx.Response:
    query = {"model": "nova-3", **options.pop("query", {})}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        return await client.post(
            f"http://{server.address}/v1/listen", params=query, json={"url": url}, **options
        )


async def serve(start_server: Any, host: Outside, **settings: Any) -> Any:
    return await start_server(fetch_hosts=f"127.0.0.1:{host.port}", **settings)


async def test_a_recording_is_fetched(redis: object, start_server: Any, mock_worker: Any) -> None:
    async with outside(give) as host:
        server = await serve(start_server, host)
        answer = await ask(server, host.url("/a.wav?signature=x"))
    assert answer.status_code == 200
    assert answer.json()["metadata"]["duration"] == 2.0
    assert [asked.path for asked in host.asked] == ["/a.wav?signature=x"]
    assert host.asked[0].headers["host"] == f"127.0.0.1:{host.port}"


async def test_credentials_reach_the_host_and_no_log(
    redis: object,
    start_server: Any,
    mock_worker: Any,
    until: Until,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Guards secrets: a signed link is one, too."""
    caplog.set_level(logging.DEBUG)
    async with outside(give) as host:
        server = await serve(start_server, host)
        url = f"http://user:secret-1@127.0.0.1:{host.port}/secret-2?key=secret-3"
        assert (await ask(server, url)).status_code == 200
    assert host.asked[0].headers["authorization"].startswith("Basic ")
    await until(lambda: "fetch ended" in caplog.messages)
    said = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    assert not [line for line in said if "secret" in line]


async def test_nothing_is_fetched_unless_it_is_switched_on(server: Any) -> None:
    answer = await ask(server, "http://a.example/")
    assert answer.status_code == 400
    assert "FETCH_HOSTS" in answer.json()["err_msg"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://localhost/",
        "http://a.example@127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:127.0.0.1]/",
        "ftp://127.0.0.1/",
        7,
        None,
    ],
)
async def test_what_is_not_public_is_not_called(
    redis: object, start_server: Any, url: object
) -> None:
    """Guards the gateway's own network, however an address is written."""

    async with outside(give) as host:
        server = await start_server(fetch_hosts=f"*,*:{host.port}")
        answer = await ask(server, url)
    assert answer.status_code == 400
    assert set(answer.json()) == {"err_code", "err_msg", "request_id"}
    assert host.asked == []


async def test_a_name_that_moves_is_not_followed() -> None:
    """Guards DNS rebinding: the address that was checked is the one that is connected to."""
    seen: list[Address] = []

    async def resolve(host: str, port: int) -> list[Address]:
        seen.append(ip_address("127.0.0.1" if seen else "127.0.0.3"))
        return [seen[-1]]

    async with outside(give) as host:
        allowed = Allowlist.parse("FETCH_HOSTS", f"moves.example:{host.port},127.0.0.3")
        fetcher = Fetcher(allowed, resolve, largest=MIB)
        with pytest.raises(CannotFetch, match="connected"):  # nobody is at the first address
            await fetcher.fetch(host.url(host="moves.example"))
        assert len(seen) == 1
        with pytest.raises(CannotFetch, match="no public address"):
            await fetcher.fetch(host.url(host="moves.example"))
        assert host.asked == []


async def test_a_private_name_needs_its_network_on_the_list() -> None:
    async def resolve(host: str, port: int) -> list[Address]:
        return [ip_address("127.0.0.1")]

    async with outside(give) as host:
        name = f"audio.example:{host.port}"
        fetcher = Fetcher(Allowlist.parse("X", f"{name},127.0.0.0/8"), resolve, largest=MIB)
        recording = await fetcher.fetch(host.url(host="audio.example"))
        assert await recording.read()
        await recording.close()
    assert host.asked[0].headers["host"] == name


async def test_redirects_are_followed_within_the_list(
    redis: object, start_server: Any, mock_worker: Any
) -> None:
    async def script(host: Outside, asked: Asked) -> None:
        match asked.path:
            case "/there":
                await give(host, asked)
            case "/out":
                await asked.answer(302, location="http://127.0.0.2/")
            case "/round":
                await asked.answer(307, location="/round")
            case "/nowhere":
                await asked.answer(302)
            case _:
                await asked.answer(301, location="/there")

    async with outside(script) as host:
        server = await serve(start_server, host)
        assert (await ask(server, host.url("/here"))).status_code == 200
        for path, why in (("/out", "FETCH_HOSTS"), ("/round", "redirects"), ("/nowhere", "nowhe")):
            answer = await ask(server, host.url(path))
            assert answer.status_code == 400
            assert why in answer.json()["err_msg"]
    assert len([asked for asked in host.asked if asked.path == "/round"]) == 6


async def test_hosts_that_fail_are_told_of(redis: object, start_server: Any) -> None:
    async def script(host: Outside, asked: Asked) -> None:
        match asked.path:
            case "/404":
                await asked.answer(404)
            case "/huge":
                await asked.answer(body=b"x", content_length=str(10**12))
            case "/dies":
                await asked.answer(body=wav(2)[:30000], content_length="64044")
            case "/endless":
                await asked.answer(body=wav(2), content_length=str(2 * MIB - 1))
            case _:
                asked.writer.write(b"what?\r\n\r\n")

    failed = metrics.FETCHES[Fetched.FAILED]
    async with outside(script) as host:
        server = await serve(start_server, host, max_upload_bytes=MIB)
        for path, why in (
            ("/404", "404"),
            ("/huge", "more than 1 MiB"),
            ("/endless", "more than 1 MiB"),
            ("/dies", "broke off"),
            ("/nonsense", "HTTP"),
        ):
            before = failed.value
            answer = await ask(server, host.url(path))
            assert answer.status_code == 400, path
            assert answer.json()["err_code"] == "REMOTE_CONTENT_ERROR"
            assert why in answer.json()["err_msg"]
            assert failed.value == before + 1
    gone = await ask(server, host.url())
    assert "can not be connected to" in gone.json()["err_msg"]


async def test_a_body_without_a_length_is_bounded_as_it_comes() -> None:
    async def script(_: Outside, asked: Asked) -> None:
        asked.writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        while True:
            asked.writer.write(bytes(65536))
            await asked.writer.drain()

    async with outside(script) as host:
        allowed = Allowlist.parse("X", f"127.0.0.1:{host.port}")
        recording = await Fetcher(allowed, Resolver().resolve, largest=MIB).fetch(host.url())

        async def read_all() -> None:
            while await recording.read():
                pass

        with pytest.raises(CannotFetch, match="more than 1 MiB"):
            await read_all()
        await recording.close()


async def test_a_long_recording_is_read_no_faster_than_it_is_transcribed(
    redis: object, start_server: Any, until: Until
) -> None:
    """Guards memory: nobody transcribes here, so that a minute or so is taken and no more."""

    async def script(host: Outside, asked: Asked) -> None:
        await asked.answer(body=wav(0), content_length=str(10**9))
        while True:
            asked.writer.write(bytes(65536))
            await asked.writer.drain()
            host.sent += 65536

    async with outside(script) as host:
        server = await serve(start_server, host)
        asking = asyncio.create_task(ask(server, host.url()))
        await until(lambda: host.sent > 32_000 * 60)
        stands = host.sent
        await asyncio.sleep(1)  # in this time a fetch that is not held back is seen
        assert host.sent - stands < 4 * MIB
        assert host.sent < 16 * MIB  # the rest is in the kernel's buffers
        asking.cancel()


async def test_a_client_that_leaves_ends_the_fetch(
    redis: object, start_server: Any, until: Until
) -> None:
    """Guards what nobody waits for any more."""
    left = asyncio.Event()

    async def script(_: Outside, asked: Asked) -> None:
        asked.writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nRIFF")
        try:
            while True:
                await asked.writer.drain()
                asked.writer.write(b"\0")
                await asyncio.sleep(0.02)
        except ConnectionError:
            left.set()

    before = metrics.FETCHES[Fetched.LEFT].value
    async with outside(script) as host:
        server = await serve(start_server, host)
        asking = asyncio.create_task(ask(server, host.url()))
        await until(lambda: host.asked)
        asking.cancel()
        await asyncio.wait_for(left.wait(), 10)
    await until(lambda: metrics.FETCHES[Fetched.LEFT].value == before + 1)


async def test_a_list_is_held_for_every_request() -> None:
    fetcher = Fetcher(Allowlist.parse("X", "a.example"), Resolver().resolve, largest=1)
    with pytest.raises(BadTarget):
        await fetcher.fetch("http://b.example/")


async def test_tls_is_for_the_name_and_not_for_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guards against whoever answers at the address in place of the host."""
    authority = trustme.CA()
    trusting, serving = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(trusting)
    authority.issue_cert("audio.example").configure_cert(serving)
    monkeypatch.setattr(requesting, "_trusted", lambda: trusting)

    async def resolve(host: str, port: int) -> list[Address]:
        return [ip_address("127.0.0.1")]

    async with outside(give, serving) as host:
        names = f"audio.example:{host.port},other.example:{host.port},127.0.0.1"
        fetcher = Fetcher(Allowlist.parse("X", names), resolve, largest=MIB)
        recording = await fetcher.fetch(f"https://audio.example:{host.port}/")
        assert await recording.read()
        await recording.close()
        with pytest.raises(CannotFetch):
            await fetcher.fetch(f"https://other.example:{host.port}/")


async def test_a_proxy_resolves_names_and_the_list_still_holds() -> None:
    async def resolve(host: str, port: int) -> list[Address]:
        raise AssertionError("this is for the proxy")

    async with outside(give) as proxy:
        allowed = Allowlist.parse("X", "audio.example")
        fetcher = Fetcher(allowed, resolve, largest=MIB, proxy=proxy.url())
        recording = await fetcher.fetch("http://audio.example/a.wav")
        assert await recording.read()
        await recording.close()
        with pytest.raises(BadTarget):
            await fetcher.fetch("http://other.example/a.wav")
    assert [asked.path for asked in proxy.asked] == ["http://audio.example/a.wav"]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_of_the_environment_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Guards the check of addresses, which a proxy would make void."""
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with outside(give) as host:
        allowed = Allowlist.parse("X", f"127.0.0.1:{host.port}")
        recording = await Fetcher(allowed, Resolver().resolve, largest=MIB).fetch(host.url())
        await recording.close()
    assert host.asked


async def test_a_name_that_is_slow_to_resolve_costs_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guards the threads for names, which the broker's needs as well."""
    monkeypatch.setattr(resolving, "RESOLVE_SECONDS", 0.2)
    loop, running, most = asyncio.get_running_loop(), 0, 0

    async def slow(*_: object, **__: object) -> list[Any]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.6)  # longer than anybody waits for a name
        running -= 1
        return []

    monkeypatch.setattr(loop, "getaddrinfo", slow, raising=False)
    fetcher = Fetcher(Allowlist.parse("X", "*"), Resolver().resolve, largest=MIB)
    began = loop.time()
    asked = [fetcher.fetch(f"http://a{place}.example/") for place in range(6)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, CannotFetch) for each in found)
    assert loop.time() - began < 0.6
    assert most == 2
