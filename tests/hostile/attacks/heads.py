"""Attacks before anybody knows who calls: heads of requests, or none."""

from __future__ import annotations

import asyncio
import socket

from ..attack import Answer, Target, attack
from ..line import Line
from ..told import NO_ANSWER
from ..wire import MIB, request, upgrade

_HEADER = b"X-A: " + b"a" * 8000 + b"\r\n"


@attack()
async def endless_head(target: Target) -> None:
    """Sends header lines without end."""
    async with Line(target) as line:
        await line.send(request("/livez", end=False))
        await line.flood(_HEADER * 16)


@attack()
async def endless_head_of_an_upgrade(target: Target) -> None:
    """Sends header lines of a WebSocket handshake without end, on 4 connections."""

    async def one() -> None:
        async with Line(target) as line:
            await line.send(upgrade(end=False))
            await line.flood(_HEADER * 16)

    await target.side_by_side(one, 4)


@attack()
async def endless_header_line(target: Target) -> None:
    """Sends one header line without end."""
    async with Line(target) as line:
        await line.send(request("/livez", end=False) + b"X-A: ")
        await line.flood(bytes([97]) * (1 << 17))


@attack()
async def endless_request_line(target: Target) -> None:
    """Sends one path without end."""
    async with Line(target) as line:
        await line.send(b"GET /")
        await line.flood(bytes([97]) * (1 << 17))


@attack()
async def tiny_header_lines(target: Target) -> None:
    """Sends the shortest header lines without end."""
    async with Line(target) as line:
        await line.send(request("/livez", end=False))
        await line.flood(b"a:\r\n" * (1 << 14))


@attack(answer=Answer.CLOSE, seconds=25)
async def silent_sockets(target: Target) -> None:
    """Opens 50 connections and never says anything."""
    await _wait(target, b"", target.count(50))


@attack(answer=Answer.CLOSE, seconds=25)
async def silent_sockets_500(target: Target) -> None:
    """Opens 500 connections and never says anything."""
    await _wait(target, b"", target.count(500))


@attack(answer=Answer.CLOSE, seconds=25)
async def half_heads(target: Target) -> None:
    """Sends half of a handshake on 100 connections and waits."""
    await _wait(target, upgrade(end=False), target.count(100))


async def _wait(target: Target, data: bytes, count: int) -> None:
    left = 0

    async def one() -> None:
        nonlocal left
        async with Line(target) as line:
            if data:
                await line.send(data)
            left += await line.listen(target.left)

    await target.side_by_side(one, count)
    target.told.note(f"{left} of {count} still open after {target.seconds:.0f} s")


@attack(answer=Answer.CLOSE, seconds=25)
async def slow_heads(target: Target) -> None:
    """Sends a handshake byte by byte on 200 connections."""

    async def one() -> None:
        async with Line(target) as line:
            await line.drip(upgrade(headers=("X-A: " + "a" * 4000,)), 0.5)
            await line.listen(1.0)

    await target.side_by_side(one, target.count(200))


@attack()
async def many_headers(target: Target) -> None:
    """Sends handshakes with 200 headers."""
    await _ask(target, upgrade(headers=[f"X-{n}: a" for n in range(200)]))


@attack()
async def headers_without_number(target: Target) -> None:
    """Sends handshakes with 5000 headers."""
    await _ask(target, upgrade(headers=[f"X-{n}: a" for n in range(5000)]))


@attack(answer=Answer.SERVICE)
async def big_cookie(target: Target) -> None:
    """Sends handshakes with a cookie of 9 kB."""
    await _ask(target, upgrade(headers=["Cookie: " + "a" * 9000]))


@attack()
async def huge_query(target: Target) -> None:
    """Sends handshakes with a query of 1 MB."""
    await _ask(target, upgrade("/ws?" + "&".join(f"a{n}=1" for n in range(100_000))))


@attack()
async def query_below_the_limit(target: Target) -> None:
    """Sends handshakes with 1500 parameters, of which one is bad."""
    query = "&".join(f"a{n}" for n in range(1500))
    await _ask(target, upgrade(f"/ws?{query}&sample_rate=1"))


@attack()
async def bad_parameters(target: Target) -> None:
    """Sends handshakes with numbers of a thousand digits and languages that are none."""
    digits = "9" * 1000
    for query in (
        f"sample_rate={digits}",
        f"channels=-{digits}",
        f"endpointing={digits}",
        "sample_rate=1e9999",
        "language=%00%ff%0d%0a",
        "language=" + "a-" * 2000,
        "model=" + "%F0%9F%92%A9" * 300,
        "encoding=linear16&encoding=x",
        "sample_rate=%D9%A8%D9%A0%D9%A0%D9%A0",
    ):
        async with Line(target) as line:
            await line.send(upgrade(f"/ws?{query}"))
            if await line.read_head() == 101:
                target.told.note(f"{query[:24]} was accepted")


@attack()
async def http_1_0(target: Target) -> None:
    """Asks for a WebSocket by HTTP/1.0, and without a key, a version, or with a wrong one."""
    for head in (
        upgrade(version="1.0"),
        upgrade(version="0.9"),
        upgrade().replace(b"Sec-WebSocket-Key: ", b"X-Key: "),
        upgrade().replace(b"Version: 13", b"Version: 99"),
        upgrade().replace(b"Key: dG", b"Key: !!"),
        upgrade().replace(b"GET ", b"POST "),
    ):
        await _ask(target, head, once=True)


@attack()
async def no_upgrade(target: Target) -> None:
    """Asks for ``/ws`` without an upgrade."""
    await _ask(target, request("/ws"))


@attack(answer=Answer.CLOSE)
async def tls_hello(target: Target) -> None:
    """Begins TLS on the plain port."""
    hello = bytes.fromhex("16030100c8010000c40303") + bytes(32) + b"\0\0\2\x13\x01\1\0" + bytes(150)
    await _ask(target, hello)


@attack(answer=Answer.CLOSE)
async def http_2_preface(target: Target) -> None:
    """Begins HTTP/2 on the plain port."""
    settings = bytes.fromhex("000000040000000000")
    await _ask(target, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings * 1000)


@attack()
async def garbage_heads(target: Target) -> None:
    """Sends heads with NUL bytes, bare line feeds, folded lines, no colon, two lengths."""
    for head in (
        b"GET / HTTP/1.1\r\nHost: x\r\nA\0B: c\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\nno colon here\n\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n c\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzz\r\n",
        b"\r\n" * 5000 + b"GET \xff\xfe HTTP/9.9\r\n\r\n",
        b"\0" * 5000,
    ):
        await _ask(target, head, once=True)


@attack(answer=Answer.SERVICE)
async def connect_and_drop(target: Target) -> None:
    """Connects and drops as fast as it can."""
    loop, count = asyncio.get_running_loop(), 0
    while target.left:
        bare = socket.socket()
        bare.setblocking(False)
        try:
            await loop.sock_connect(bare, ("127.0.0.1", target.port))
            count += 1
        except OSError as error:
            target.told.ended(type(error).__name__)
        bare.close()
    target.told.note(f"{count} connections")


@attack(answer=Answer.SERVICE)
async def refused_handshakes(target: Target) -> None:
    """Asks for sessions that are refused, as fast as it can, on 8 connections at a time."""

    async def one() -> None:
        while target.left:
            await _ask(target, upgrade("/ws?sample_rate=1"), once=True)

    await target.side_by_side(one, 8)


async def _ask(target: Target, head: bytes, *, once: bool = False) -> None:
    """Sends a head again and again, each on a connection of its own, and reads the answers."""
    size, answers = MIB, 0
    while target.left:
        try:
            async with Line(target) as line:
                for start in range(0, len(head), size):
                    if not await line.send(head[start : start + size], 5.0):
                        break
                status = await asyncio.wait_for(line.read_head(), min(5.0, target.left + 1))
        except TimeoutError:
            status = 0
            target.told.ended(NO_ANSWER)
        if status == 101:
            target.told.note("it was accepted")
        answers += status != 0
        if once or not answers:
            return
        await asyncio.sleep(0.02)  # the pace of the attack, nothing is waited for
