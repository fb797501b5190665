"""Attacks by clients that do not read what they are sent, or read it a byte at a time."""

from __future__ import annotations

from ..attack import Answer, Target, attack
from ..line import Line
from ..wire import MIB, Op, binary, frame, request, text


async def _send_only(target: Target, block: bytes, count: int = 1, query: str = "") -> None:
    """Sends as fast as it can and never reads."""
    total = 0

    async def one() -> None:
        nonlocal total
        async with Line(target, receive_buffer=4096) as line:
            if await line.shake(query):
                while target.left and await line.send(block):
                    total += len(block)

    await target.side_by_side(one, count)
    target.told.note(f"{total / MIB:.0f} MiB were taken")


@attack(answer=Answer.SERVICE)
async def unread_acks(target: Target) -> None:
    """Sends audio at full speed on 5 connections and never reads an acknowledgement."""
    await _send_only(target, binary(bytes(64)) * 500, 5)


@attack(answer=Answer.SERVICE)
async def unread_errors(target: Target) -> None:
    """Sends empty messages on 5 connections and never reads an error."""
    await _send_only(target, binary(b"") * 2000, 5)


@attack(answer=Answer.SERVICE)
async def unread_pongs(target: Target) -> None:
    """Sends pings of 125 bytes on 5 connections and never reads a pong."""
    await _send_only(target, frame(Op.PING, bytes(125)) * 500, 5)


@attack(answer=Answer.SERVICE)
async def unread_results(target: Target) -> None:
    """Asks for a result with each sample on 5 connections and reads none."""
    block = (binary(bytes(2)) + text('{"type":"finalize"}')) * 300
    await _send_only(target, block, 5, "interim_results=true&events=true")


@attack(answer=Answer.SERVICE)
async def metrics_by_byte(target: Target) -> None:
    """Reads the metrics a byte at a time on 50 connections."""

    async def one() -> None:
        async with Line(target, receive_buffer=4096) as line:
            if await line.send(request("/metrics")):
                await line.read_slowly(1, 0.1)

    await target.side_by_side(one, target.count(50))


@attack(answer=Answer.SERVICE)
async def metrics_in_parallel(target: Target) -> None:
    """Scrapes the metrics as fast as it can on 20 connections."""

    async def one() -> None:
        async with Line(target) as line:
            while target.left and await line.send(request("/metrics")):
                if not await line.read_head():
                    return

    await target.side_by_side(one, 20)


@attack(answer=Answer.SERVICE)
async def health_in_parallel(target: Target) -> None:
    """Asks whether the gateway is ready as fast as it can on 20 connections."""

    async def one() -> None:
        async with Line(target) as line:
            while target.left and await line.send(request("/readyz")):
                if not await line.read_head():
                    return

    await target.side_by_side(one, 20)


@attack(answer=Answer.SERVICE)
async def page_by_byte(target: Target) -> None:
    """Reads the page a byte at a time on 100 connections."""

    async def one() -> None:
        async with Line(target, receive_buffer=4096) as line:
            if await line.send(request("/", headers=["Accept: text/html"])):
                await line.read_slowly(1, 0.2)

    await target.side_by_side(one, target.count(100))
