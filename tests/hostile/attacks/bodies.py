"""Attacks by bodies of requests, and by many requests on one connection."""

from __future__ import annotations

from ..attack import Answer, Target, attack
from ..line import Line
from ..wire import request, upgrade

_BLOCK = bytes(1 << 17)


@attack(answer=Answer.CLOSE)
async def body_without_end(target: Target) -> None:
    """Sends a body of 10 GB, where none is wanted."""
    async with Line(target) as line:
        await line.send(request("/livez", "POST", ["Content-Length: 10000000000"]))
        sent = await line.flood(_BLOCK)
    target.told.note(f"{sent >> 20} MiB were taken")


@attack(answer=Answer.CLOSE)
async def body_of_a_get(target: Target) -> None:
    """Sends a chunked body without end with a request for the metrics."""
    async with Line(target) as line:
        await line.send(request("/metrics", "GET", ["Transfer-Encoding: chunked"]))
        sent = await line.flood(b"20000\r\n" + _BLOCK + b"\r\n")
    target.told.note(f"{sent >> 20} MiB were taken")


@attack(answer=Answer.CLOSE)
async def tiny_chunks(target: Target) -> None:
    """Sends a body in chunks of one byte without end."""
    async with Line(target) as line:
        await line.send(request("/livez", "POST", ["Transfer-Encoding: chunked"]))
        await line.flood(b"1\r\na\r\n" * 20_000)


@attack(answer=Answer.CLOSE)
async def endless_chunk_extension(target: Target) -> None:
    """Sends one chunk's extension without end."""
    async with Line(target) as line:
        await line.send(request("/livez", "POST", ["Transfer-Encoding: chunked"]) + b"1;a=")
        await line.flood(b"a" * (1 << 17))


@attack(answer=Answer.CLOSE)
async def endless_trailers(target: Target) -> None:
    """Sends trailers of a chunked body without end."""
    async with Line(target) as line:
        await line.send(request("/livez", "POST", ["Transfer-Encoding: chunked"]) + b"0\r\n")
        await line.flood((b"X-A: " + b"a" * 4000 + b"\r\n") * 16)


@attack(answer=Answer.CLOSE, seconds=25)
async def slow_bodies(target: Target) -> None:
    """Sends a body byte by byte on 200 connections."""

    async def one() -> None:
        async with Line(target) as line:
            await line.send(request("/livez", "POST", ["Content-Length: 5000"]))
            await line.drip(bytes(5000), 0.5)

    await target.side_by_side(one, target.count(200))


@attack()
async def upgrade_with_a_body(target: Target) -> None:
    """Sends handshakes that announce a body, and the body."""
    for headers in (["Content-Length: 100000"], ["Transfer-Encoding: chunked"]):
        async with Line(target) as line:
            await line.send(upgrade(headers=headers) + b"a" * 100_000)
            await line.read_head()


@attack(answer=Answer.SERVICE)
async def pipelined_requests(target: Target) -> None:
    """Sends requests one after another on a connection without waiting for answers."""
    async with Line(target) as line:
        await line.flood(request("/livez") * 2000)


@attack(answer=Answer.SERVICE)
async def pipelined_metrics(target: Target) -> None:
    """Asks for the metrics again and again on a connection and reads no answer."""
    async with Line(target, receive_buffer=4096) as line:
        block, sent = request("/metrics") * 500, 0
        while target.left and await line.send(block):
            sent += 500
    target.told.note(f"{sent} requests were taken")


@attack(answer=Answer.SERVICE)
async def pipelined_pages(target: Target) -> None:
    """Asks for the page on 20 connections without waiting for answers, and reads none."""

    async def one() -> None:
        async with Line(target, receive_buffer=4096) as line:
            while target.left and await line.send(
                request("/", headers=["Accept: text/html"]) * 500
            ):
                pass

    await target.side_by_side(one, 20)


@attack(answer=Answer.SERVICE)
async def pipelined_upgrades(target: Target) -> None:
    """Sends requests, a handshake, and more requests in one write."""
    async with Line(target) as line:
        await line.send(request("/livez") * 50 + upgrade() + request("/livez") * 50)
        await line.listen(target.left)
