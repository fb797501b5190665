"""Attacks while the gateway stops: it has to tell everybody, and to stop in order."""

from __future__ import annotations

import asyncio

from ..attack import Answer, Target, attack
from ..line import Line
from ..wire import MIB, binary, frame, request, upgrade


@attack(answer=Answer.SERVICE, stops_gateway=True)
async def drain_with_hung_handshakes(target: Target) -> None:
    """Has sent handshakes with cookies of 9 kB when SIGTERM comes."""

    async def one() -> None:
        async with Line(target) as line:
            await line.send(upgrade(headers=["Cookie: " + "a" * 9000]))
            await line.listen(target.left)

    await target.side_by_side(one, 5)


@attack(answer=Answer.SERVICE, stops_gateway=True)
async def drain_with_half_requests(target: Target) -> None:
    """Has sent halves of handshakes, bodies and frames, or nothing, when SIGTERM comes."""
    body = request("/livez", "POST", ["Content-Length: 500"]) + b"a"

    async def one(data: bytes) -> None:
        async with Line(target) as line:
            if data:
                await line.send(data)
            await line.listen(target.left)

    async def half_a_frame() -> None:
        async with Line(target) as line:
            if await line.shake():
                await line.send(frame(2, bytes(100), length=MIB))
                await line.listen(target.left)

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            for data in (b"", upgrade(end=False), body):
                group.create_task(one(data))
            group.create_task(half_a_frame())


@attack(answer=Answer.SERVICE, stops_gateway=True)
async def drain_in_a_flood(target: Target) -> None:
    """Floods empty messages, pings and large messages when SIGTERM comes."""

    async def one(block: bytes) -> None:
        async with Line(target) as line:
            if await line.shake():
                await line.flood(block)

    async with asyncio.TaskGroup() as group:
        for block in (binary(b"") * 2000, frame(9) * 2000, binary(bytes(MIB))):
            group.create_task(one(block))


@attack(answer=Answer.SERVICE, stops_gateway=True)
async def drain_without_a_reader(target: Target) -> None:
    """Sends and never reads, and never answers a closing frame, when SIGTERM comes."""

    async def one() -> None:
        async with Line(target, receive_buffer=4096) as line:
            if await line.shake():
                while target.left and await line.send(binary(bytes(64)) * 500):
                    pass
                await asyncio.sleep(target.left)

    await target.side_by_side(one, 5)
