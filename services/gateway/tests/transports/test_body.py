"""Recordings in the body of a request: read as they come, within bounds, and answered once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from scripta_gateway.bounds import Bound
from scripta_gateway.telemetry import metrics

pytestmark = pytest.mark.asgi

PATH = "/v1/listen"
RAW = f"{PATH}?encoding=linear16&sample_rate=16000"
HEAD = f"POST {RAW} HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
async def server(shared_broker: Any, start_server: Any, start_worker: Any) -> Any:
    started = await start_server(shared_broker.url)
    await start_worker(shared_broker.url)
    return started


def address(server: Any, path: str = RAW) -> str:
    return f"http://{server.address.rpartition('//')[2]}{path}"


async def post(server: Any, content: Any, path: str = RAW, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.post(address(server, path), content=content, headers=headers)


async def pieces(count: int, size: int = 3200) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(size)
        await asyncio.sleep(0)


async def test_body_with_a_length_and_a_chunked_one_are_answered(server: Any) -> None:
    for content in (bytes(32_000), pieces(10)):
        answer = await post(server, content)
        assert answer.status_code == 200
        assert answer.json()["metadata"]["duration"] == pytest.approx(1.0)


async def test_connection_serves_further_requests(server: Any) -> None:
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1)) as client:
        for _ in range(3):
            assert (await client.post(address(server), content=bytes(3200))).status_code == 200
            assert (await client.get(address(server, "/livez"))).status_code == 200


async def test_client_that_waits_for_leave_gets_it(server: Any, dial: Callable[..., Any]) -> None:
    client = await dial(server)
    client.writer.write(HEAD.encode() + b"Content-Length: 3200\r\nExpect: 100-continue\r\n\r\n")
    async with asyncio.timeout(10):
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.writer.write(bytes(3200))
        assert (await client.reader.readline()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("framing", [b"Content-Length: 99999999999", b"Transfer-Encoding: chunked"])
async def test_body_that_is_too_large_is_refused(
    shared_broker: Any,
    start_server: Any,
    start_worker: Any,
    dial: Callable[..., Any],
    hits: Callable[[Bound], float],
    framing: bytes,
) -> None:
    server = await start_server(shared_broker.url, max_upload_bytes=1_048_576)
    await start_worker(shared_broker.url)
    client = await dial(server)
    client.writer.write(HEAD.encode() + framing + b"\r\n\r\n")
    if b"chunked" in framing:
        for _ in range(20):
            client.writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
    async with asyncio.timeout(20):
        assert (await client.reader.readline()).startswith(b"HTTP/1.1 413")
    assert hits(Bound.BODY_BYTES) == 1


async def test_body_that_stops_coming_is_refused_in_time(
    server: Any,
    dial: Callable[..., Any],
    hits: Callable[[Bound], float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scripta_gateway.transports.http.BODY_SECONDS", 0.3)
    client = await dial(server)
    client.writer.write(HEAD.encode() + b"Content-Length: 3200\r\n\r\n" + bytes(100))
    async with asyncio.timeout(10):
        assert (await client.reader.readline()).startswith(b"HTTP/1.1 408")
    assert hits(Bound.BODY_SECONDS) == 1


async def test_answer_before_the_end_of_the_body_closes_the_connection(
    server: Any, dial: Callable[..., Any]
) -> None:
    """Guards the answer: a socket that is closed while bytes arrive would be reset."""
    client = await dial(server)
    head = f"POST {PATH}?channels=99 HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n"
    client.writer.write(head.encode() + bytes(100_000))
    async with asyncio.timeout(10):
        answer = await client.reader.read()
    assert answer.startswith(b"HTTP/1.1 400")
    assert b'"err_code"' in answer


async def test_client_that_goes_in_mid_body_leaves_nothing(
    server: Any, dial: Callable[..., Any], until: Any
) -> None:
    client = await dial(server)
    client.writer.write(HEAD.encode() + b"Content-Length: 9000000\r\n\r\n" + bytes(64_000))
    await until(lambda: metrics.SESSIONS._value.get() >= 1)
    client.abort()
    await until(lambda: metrics.SESSIONS._value.get() == 0)


async def test_bytes_that_are_no_audio_are_an_error_in_the_dialects_form(server: Any) -> None:
    answer = await post(server, b"\x89PNG\r\n\x1a\n" + bytes(5000), PATH)
    assert answer.status_code == 400
    assert "err_msg" in json.loads(answer.text)


async def test_path_is_only_for_posting(server: Any) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(address(server, "/v1/audio/transcriptions"))
    assert answer.status_code == 405
    assert "POST" in answer.text


FORMS = {
    PATH: ("err_code", "err_msg"),
    "/v1/audio/transcriptions": ("error",),
    "/v1/audio/translations": ("error",),
}


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("Content-Length: 99999999999\r\n\r\n", 413),
        ("Content-Length: 10\r\n\r\nabc", 408),
        (f"X-Long: {'x' * 17000}\r\n\r\n", 431),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400),
        ("Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", 400),
        ("X-Slow: ", 408),
    ],
)
async def test_what_the_transport_refuses_has_the_form_of_its_dialect(
    server: Any,
    dial: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    head: str,
    status: int,
) -> None:
    """Guards clients that look for the error where their vendor has it."""
    monkeypatch.setattr("scripta_gateway.transports.http.BODY_SECONDS", 0.2)
    monkeypatch.setattr("scripta_gateway.transports.http.REQUEST_SECONDS", 0.2)
    client = await dial(server)
    form = "Content-Type: multipart/form-data; boundary=x"
    client.writer.write(f"POST {path}?a=b HTTP/1.1\r\nHost: x\r\n{form}\r\n{head}".encode())
    async with asyncio.timeout(10):
        answer = await client.reader.read()
    first, _, body = answer.decode().partition("\r\n\r\n")
    answered = 404 if "translations" in path and "abc" in head and status == 408 else status
    assert first.startswith(f"HTTP/1.1 {answered} ")
    assert set(FORMS[path]) <= set(json.loads(body))
    if path == PATH:
        assert "\r\ndg-request-id: " in first


@pytest.mark.parametrize("path", ["/v1/audio/transcriptions", "/v1/listen"])
async def test_a_wrong_method_is_refused_in_the_form_of_the_dialect(server: Any, path: str) -> None:
    async with httpx.AsyncClient(timeout=20) as client:
        answer = await client.put(address(server, path), content=b"x")
    assert answer.status_code == 405
    assert set(FORMS[path]) <= set(answer.json())
    assert answer.headers["allow"]


async def test_a_request_that_makes_room_is_refused_in_the_form_of_its_dialect(
    start_server: Any,
    redis: object,
    dial: Callable[..., Any],
    until: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scripta_gateway.transports.edge.SPARE_SOCKETS", 0)
    server = await start_server(max_sessions=1)
    slow = await dial(server)
    slow.writer.write(HEAD.encode())
    await until(lambda: any(each.began for each in server.server_state.connections))
    await dial(server)
    async with asyncio.timeout(10):
        answer = (await slow.reader.read()).decode()
    assert answer.startswith("HTTP/1.1 503 ")
    assert "\r\nretry-after: 5\r\n" in answer
    assert json.loads(answer.partition("\r\n\r\n")[2])["err_code"] == "SERVICE_UNAVAILABLE"
