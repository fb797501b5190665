"""Requests over real sockets: what they may cost, and what is answered to those that cost more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from raw_client import request, upgrade

from scripta_gateway.bounds import HEAD_BYTES, HEADER_LINES, Bound
from scripta_gateway.transports import http, websocket

pytestmark = pytest.mark.asgi

Until = Callable[..., Awaitable[None]]
Hits = Callable[[Bound], float]

CHUNKED = b"POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
LINE = b"X-A: " + b"a" * 8000 + b"\r\n"


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (request("/livez", end=False), LINE * 16),
        (request("/livez", end=False), b"a:\r\n" * 10_000),
        (request("/livez", end=False) + b"X-A: ", b"a" * 100_000),
        (b"GET /", b"a" * 100_000),
        (b"", b"\r\n" * 50_000),
        (upgrade().removesuffix(b"\r\n"), LINE * 16),
        (CHUNKED, b"1\r\na\r\n" * 9999),
        (CHUNKED + b"1;e=", b"a" * 100_000),
        (CHUNKED + b"0\r\n", LINE * 16),
    ],
    ids=[
        *("header lines", "tiny lines", "one line", "request line", "empty lines", "handshake"),
        *("chunks", "chunk extension", "trailers"),
    ],
)
async def test_request_without_end_is_refused_early(
    server: Any,
    dial: Any,
    hits: Hits,
    monkeypatch: pytest.MonkeyPatch,
    begin: bytes,
    more: bytes,
) -> None:
    """Guards the process's memory: a head of gigabytes was taken in."""
    monkeypatch.setattr("scripta_gateway.transports.farewell.FAREWELL_SECONDS", 0.5)
    client = await dial(server)
    await client.send(begin)
    flooding = asyncio.create_task(client.flood(more))
    answer = await client.answer()
    if answer.status == 405:  # of the request itself; its body comes next
        answer = await client.answer()
    assert answer.status in (413, 414, 431), answer
    assert "most" in answer.error or "no body" in answer.error
    assert await flooding < 8_000_000
    assert hits(Bound.HEAD_BYTES) + hits(Bound.BODY_BYTES) == 1


async def test_large_cookie_is_let_through_to_both(server: Any, dial: Any) -> None:
    """Guards handshakes with a line of 8 to 16 KiB: they were never answered."""
    cookie = "Cookie: " + "a" * 16_000
    for head, status in ((request("/livez", cookie), 200), (upgrade("/ws", cookie), 101)):
        client = await dial(server)
        await client.send(head)
        assert (await client.answer()).status == status


@pytest.mark.parametrize(
    ("head", "status", "word"),
    [
        (upgrade("/ws", "Cookie: " + "a" * 20_000), 431, "header line"),
        (upgrade("/ws", *(f"X-{n}: a" for n in range(HEADER_LINES))), 431, "header lines"),
        (upgrade("/ws", *("A: " + "a" * 8000,) * 5), 431, str(HEAD_BYTES)),
        (upgrade("/ws?" + "a" * 9000), 414, "request line"),
        (upgrade("/ws", "Content-Length: 5") + b"abcde", 400, "no body"),
        (upgrade("/ws", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400, "no body"),
        (upgrade(drop="Sec-WebSocket-Key"), 400, "Sec-WebSocket-Key"),
        (upgrade("/ws", "Sec-WebSocket-Key: !!", drop="Sec-WebSocket-Key"), 400, "base64"),
        (upgrade("/ws", "Sec-WebSocket-Key: AAAA", drop="Sec-WebSocket-Key"), 400, "16 bytes"),
        (upgrade(drop="Sec-WebSocket-Version"), 426, "13"),
        (upgrade("/ws", "Sec-WebSocket-Version: 99", drop="Sec-WebSocket-Version"), 426, "13"),
        (upgrade(method="POST"), 405, "GET"),
        (upgrade().replace(b"HTTP/1.1", b"HTTP/1.0"), 505, "HTTP/1.1"),
        (upgrade().replace(b"/ws", b"/w\xff"), 400, "HTTP"),
        (b"\x16\x03\x01\0\xc8\x01\0\0\xc4\x03\x03" + bytes(200), 400, "HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "HTTP"),
    ],
)
async def test_handshake_that_cannot_be_is_answered_and_closed(
    server: Any, dial: Any, until: Until, head: bytes, status: int, word: str
) -> None:
    """Guards the drain: a handshake that was never answered ended the gateway in an assertion."""
    client = await dial(server)
    await client.send(head)
    answer = await client.answer()
    assert answer.status == status
    assert word in answer.error
    assert answer.headers["connection"] == "close"
    await client.ended(5)
    client.writer.close()
    await until(lambda: not server.server_state.connections)


@pytest.mark.parametrize(
    ("path", "upgraded", "status"),
    [
        ("/ws", False, 426),
        ("/nothing", False, 404),
        ("/openapi.json", False, 404),
        ("/health/", False, 404),
        ("/nothing", True, 404),
        ("/health", True, 404),
    ],
)
async def test_what_is_not_there_is_answered_in_json(
    server: Any, dial: Any, path: str, upgraded: bool, status: int
) -> None:
    client = await dial(server)
    await client.send(upgrade(path) if upgraded else request(path))
    answer = await client.answer()
    assert answer.status == status
    assert answer.error
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers.get("upgrade") == ("websocket" if status == 426 else None)


@pytest.mark.parametrize(
    "path",
    ["/", "/health", "/readyz", "/livez", "/metrics", "/config", "/page/page.js"],
)
async def test_head_is_answered_like_get_without_a_body(server: Any, dial: Any, path: str) -> None:
    client = await dial(server)
    await client.send(request(path, method="HEAD"))
    answer = await client.answer(head_only=True)
    assert answer.status == 200
    assert int(answer.headers["content-length"]) > 0
    await client.send(request("/livez"))
    assert (await client.answer()).body == b'{"status":"ok"}'


async def test_other_methods_are_told_what_to_use(server: Any, dial: Any) -> None:
    client = await dial(server)
    await client.send(request("/config", "Content-Length: 2", method="DELETE") + b"{}")
    answer = await client.answer()
    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_body_that_is_announced_too_long_is_refused_before_it_comes(
    server: Any, dial: Any, hits: Hits
) -> None:
    client = await dial(server)
    head = request("/", "Content-Length: 1000000", "Expect: 100-continue", method="POST")
    await client.send(head)
    answer = await client.answer()
    assert answer.status == 413
    assert hits(Bound.BODY_BYTES) == 1


async def test_requests_in_a_row_are_all_answered_in_order(
    server: Any, dial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards memory: all requests of a pipeline were kept before the first was answered."""
    monkeypatch.setattr(http, "REQUESTS_BURST", 1000.0)
    client = await dial(server)
    paths = ["/livez", "/config", "/nothing"] * 300
    sending = asyncio.create_task(client.send(b"".join(request(path) for path in paths)))
    statuses = [(await client.answer()).status for _ in paths]
    await sending
    assert statuses == [200, 200, 404] * 300


async def test_connection_that_asks_too_often_is_read_from_more_slowly(
    server: Any, dial: Any, hits: Hits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the loop: every request costs a millisecond of it."""
    monkeypatch.setattr(http, "REQUESTS_A_SECOND", 2.0)
    monkeypatch.setattr(http, "REQUESTS_BURST", 5.0)
    client = await dial(server)
    began = time.monotonic()
    for count in range(10):
        await client.send(request("/livez"))
        assert (await client.answer()).status == 200
        if count == 4:
            assert hits(Bound.REQUESTS) == 0
    assert time.monotonic() - began >= 2.0
    assert hits(Bound.REQUESTS) > 0


async def test_bad_request_behind_good_ones_is_closed_when_they_are_answered(
    server: Any, dial: Any
) -> None:
    client = await dial(server)
    await client.send(request("/livez") * 3 + b"nonsense\r\n\r\n")
    assert [(await client.answer()).status for _ in range(3)] == [200] * 3
    await client.ended(5)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"", None),
        (b"GET /livez HT", 408),
        (request("/livez", end=False), 408),
        (request("/livez") + b"GET /li", 408),
        (request("/livez", "Content-Length: 9", method="POST") + b"abc", 408),
    ],
)
async def test_request_that_does_not_come_to_an_end_is_closed(
    server: Any,
    dial: Any,
    hits: Hits,
    monkeypatch: pytest.MonkeyPatch,
    said: bytes,
    status: int | None,
) -> None:
    """Guards against sockets that live for ever: no deadline held before the handshake."""
    monkeypatch.setattr(http, "REQUEST_SECONDS", 0.3)
    client = await dial(server)
    await client.send(said)
    if said.count(b"\r\n\r\n"):
        assert (await client.answer()).status in (200, 405)
    if status is not None:
        assert (await client.answer()).status == status
    assert await client.ended(5) == b""
    assert hits(Bound.HEAD_SECONDS) == 1


async def test_request_that_drips_has_no_more_time(
    server: Any, dial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "REQUEST_SECONDS", 0.4)
    client = await dial(server)
    dripping = asyncio.create_task(client.flood(b"G", 5))
    _, pending = await asyncio.wait([dripping], timeout=0)
    assert pending
    answer = await client.answer()
    assert answer.status in (400, 408)
    dripping.cancel()


async def test_socket_without_a_further_request_is_closed(server: Any, dial: Any) -> None:
    """Guards requests of clients that keep sockets for a minute: the gateway closed earlier."""
    assert server.config.timeout_keep_alive > 60
    server.config.timeout_keep_alive = 0.2
    client = await dial(server)
    await client.send(request("/livez"))
    assert (await client.answer()).status == 200
    assert await client.ended(3) == b""


async def test_answer_that_nobody_reads_is_given_up(
    server: Any, dial: Any, hits: Hits, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards memory: answers to a client that does not read were kept until it went."""
    monkeypatch.setattr(http, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(http, "REQUESTS_BURST", 1e9)
    client = await dial(server, receive_buffer=2048)
    await client.flood(request("/page/page.js") * 10, 1)
    await until(lambda: hits(Bound.UNREAD) == 1)
    await until(lambda: not server.server_state.connections)


async def test_answer_is_given_although_the_client_sends_no_more(server: Any, dial: Any) -> None:
    client = await dial(server)
    client.writer.write(request("/readyz"))
    client.writer.write_eof()
    assert (await client.answer()).status == 200
    assert await client.ended(3) == b""


async def test_silent_sockets_make_room_for_a_probe(
    start_server: Any, redis: object, dial: Any, hits: Hits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards probes: without a bound on sockets those that say nothing used them all up."""
    monkeypatch.setattr("scripta_gateway.transports.edge.SPARE_SOCKETS", 4)
    server = await start_server(max_sessions=1)
    talker = await dial(server)
    await talker.shake()
    silent = [await dial(server) for _ in range(4)]
    half = await dial(server)
    await half.send(b"GET /li")
    await silent[0].ended(3)
    for _ in range(5):
        probe = await dial(server)
        await probe.send(request("/livez"))
        assert (await probe.answer()).status == 200
    assert hits(Bound.CONNECTIONS) >= 5
    await asyncio.gather(*(client.ended(3) for client in silent))
    await talker.send(b"\x89\x80\0\0\0\0")
    assert await talker.hear() == (10, b"")


async def test_newcomer_is_refused_when_all_sockets_are_at_work(
    start_server: Any, redis: object, dial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripta_gateway.transports.edge.SPARE_SOCKETS", 0)
    server = await start_server(max_sessions=2)
    for _ in range(2):
        await (await dial(server)).shake()
    late = await dial(server)
    answer = await late.answer()
    assert answer.status == 503
    assert "Too many connections" in answer.error
    assert "retry-after" in answer.headers


async def test_handshake_that_the_application_does_not_answer_is_ended(
    server: Any, dial: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = asyncio.Event()

    async def open_never(*_: Any, **__: Any) -> None:
        await never.wait()

    monkeypatch.setattr(server.hub.opener, "open_all", open_never)
    monkeypatch.setattr(websocket, "HANDSHAKE_SECONDS", 0.2)
    client = await dial(server)
    await client.send(upgrade())
    answer = await client.answer()
    assert answer.status == 503
    assert "in time" in answer.error
    await client.ended(5)
    client.writer.close()
    await until(lambda: not server.server_state.connections)
    never.set()


async def test_metrics_are_made_for_all_that_ask_at_once(server: Any, dial: Any) -> None:
    """Guards the loop: each scrape costs milliseconds of it, and anybody could ask for many."""
    clients = [await dial(server) for _ in range(20)]
    for client in clients:
        await client.send(request("/metrics"))
    texts = [(await client.answer()).body for client in clients]
    assert len(set(texts)) < 5
    assert all(b"scripta_gateway_bounds_hit_total" in text for text in texts)
