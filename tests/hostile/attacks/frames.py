"""Attacks by WebSocket frames, legal and illegal ones."""

from __future__ import annotations

import asyncio
import random
import struct

from ..attack import Answer, Target, attack
from ..line import Line
from ..wire import MIB, Op, binary, frame, text


async def _flood(target: Target, block: bytes, count: int = 1) -> None:
    async def one() -> None:
        async with Line(target) as line:
            if await line.shake():
                await line.flood(block)

    await target.side_by_side(one, count)


@attack()
async def empty_messages(target: Target) -> None:
    """Floods empty binary messages."""
    await _flood(target, binary(b"") * 2000)


@attack()
async def empty_messages_on_10(target: Target) -> None:
    """Floods empty binary messages on 10 connections."""
    await _flood(target, binary(b"") * 2000, 10)


@attack()
async def empty_texts(target: Target) -> None:
    """Floods empty text messages."""
    await _flood(target, text("") * 2000)


@attack(answer=Answer.SERVICE)
async def one_sample_messages(target: Target) -> None:
    """Floods messages of one sample each."""
    await _flood(target, binary(b"\0\0") * 2000)


@attack(answer=Answer.SERVICE)
async def half_sample_messages(target: Target) -> None:
    """Floods messages of half a sample each on 5 connections."""
    await _flood(target, binary(b"\0") * 2000, 5)


@attack(answer=Answer.SERVICE)
async def ping_flood(target: Target) -> None:
    """Floods pings."""
    await _flood(target, frame(Op.PING) * 2000)


@attack(answer=Answer.SERVICE)
async def large_ping_flood(target: Target) -> None:
    """Floods pings of 125 bytes on 5 connections."""
    await _flood(target, frame(Op.PING, bytes(125)) * 1000, 5)


@attack(answer=Answer.SERVICE)
async def pong_flood(target: Target) -> None:
    """Floods pongs that nobody asked for."""
    await _flood(target, frame(Op.PONG) * 2000)


@attack(answer=Answer.SERVICE)
async def one_byte_fragments(target: Target) -> None:
    """Sends messages of audio in fragments of one byte."""
    middle = frame(Op.CONTINUATION, b"\0", fin=False) * 1998
    message = frame(Op.BINARY, b"\0", fin=False) + middle + frame(Op.CONTINUATION, b"\0")
    await _flood(target, message)


@attack(answer=Answer.SERVICE)
async def endless_continuation(target: Target) -> None:
    """Begins a message and goes on with empty fragments without end."""
    async with Line(target) as line:
        if await line.shake() and await line.send(frame(Op.BINARY, b"\0", fin=False)):
            await line.flood(frame(Op.CONTINUATION, fin=False) * 2000)


@attack()
async def endless_message(target: Target) -> None:
    """Begins a message and goes on with fragments of 64 KiB without end, on 5 connections."""

    async def one() -> None:
        async with Line(target) as line:
            if await line.shake() and await line.send(frame(Op.BINARY, b"\0", fin=False)):
                await line.flood(frame(Op.CONTINUATION, bytes(65536), fin=False))

    await target.side_by_side(one, 5)


@attack(answer=Answer.SERVICE)
async def pings_between_fragments(target: Target) -> None:
    """Sends a message in fragments with a hundred pings between every two."""
    async with Line(target) as line:
        if await line.shake() and await line.send(frame(Op.BINARY, bytes(2), fin=False)):
            part = frame(Op.CONTINUATION, bytes(2), fin=False) + frame(Op.PING, b"x") * 100
            await line.flood(part * 20)


@attack()
async def unfinished_frames(target: Target) -> None:
    """Leaves 40 frames of 16 MB unfinished."""
    await _unfinished(target, target.count(40), 15 * MIB, 16 * MIB - 1)


@attack(seconds=15)
async def unfinished_frames_of_1_mb(target: Target) -> None:
    """Leaves 400 frames of 1 MB unfinished."""
    await _unfinished(target, target.count(400), MIB - 1, MIB)


@attack()
async def unfinished_texts(target: Target) -> None:
    """Leaves 40 texts of 16 MB unfinished."""
    await _unfinished(target, target.count(40), 15 * MIB, 16 * MIB - 1, Op.TEXT)


async def _unfinished(
    target: Target, count: int, size: int, claimed: int, op: int = Op.BINARY
) -> None:
    data = frame(op, bytes(size), length=claimed)

    async def one() -> None:
        async with Line(target) as line:
            if await line.shake():
                line.start_listening()
                await line.send(data)
                await line.listen(target.left)

    await target.side_by_side(one, count)


@attack(answer=Answer.SERVICE)
async def slow_frames(target: Target) -> None:
    """Sends the head of a large frame and then a byte every 0.2 s, on 100 connections."""

    async def one() -> None:
        async with Line(target) as line:
            if await line.shake() and await line.send(frame(Op.BINARY, length=MIB - 1)):
                await line.drip(bytes(100_000), 0.2)

    await target.side_by_side(one, target.count(100))


@attack()
async def large_messages(target: Target) -> None:
    """Sends whole messages of 15 MB of audio, again and again."""
    await _flood(target, frame(Op.BINARY, bytes(15 * MIB)))


@attack()
async def huge_claims(target: Target) -> None:
    """Claims frames of 2^40 and of 2^63 bytes, with as much as goes into 1 MB."""
    for length in (1 << 40, (1 << 63) + 5, (1 << 64) - 1):
        await _tell(target, frame(Op.BINARY, bytes(MIB), length=length))


@attack()
async def reserved_bits(target: Target) -> None:
    """Sends frames with each reserved bit, as if compression had been agreed on."""
    for bits in (1, 2, 4, 7):
        await _tell(target, frame(Op.BINARY, bytes(1000), reserved=bits))


@attack()
async def unknown_opcodes(target: Target) -> None:
    """Sends frames of kinds that do not exist."""
    for op in (3, 7, 11, 15):
        await _tell(target, frame(op, bytes(100)))


@attack()
async def unmasked_frames(target: Target) -> None:
    """Sends frames without a mask."""
    await _tell(target, frame(Op.BINARY, bytes(1000), masked=False))


@attack()
async def oversized_control_frames(target: Target) -> None:
    """Sends pings, pongs and closes of 126 bytes to 1 MB, and in fragments."""
    for op in (Op.PING, Op.PONG, Op.CLOSE):
        await _tell(target, frame(op, bytes(126)))
        await _tell(target, frame(op, bytes(MIB)))
        await _tell(target, frame(op, b"x", fin=False))


@attack()
async def stray_continuations(target: Target) -> None:
    """Goes on with a message that nobody began; begins one within another."""
    await _tell(target, frame(Op.CONTINUATION, b"x"))
    await _tell(target, frame(Op.BINARY, b"x", fin=False) + binary(b"y"))


@attack()
async def close_with_garbage(target: Target) -> None:
    """Sends closing frames with one byte, bad codes, and a reason that is no UTF-8."""
    for payload in (b"x", struct.pack(">H", 999), struct.pack(">H", 1005), b"\x03\xe8\xff\xfe"):
        await _tell(target, frame(Op.CLOSE, payload))


@attack(answer=Answer.SERVICE)
async def close_and_go_on(target: Target) -> None:
    """Sends a closing frame and floods messages after it."""
    async with Line(target) as line:
        if await line.shake() and await line.send(frame(Op.CLOSE, struct.pack(">H", 1000))):
            await line.flood(binary(bytes(100)) * 1000)


@attack()
async def invalid_utf_8(target: Target) -> None:
    """Sends texts that are no UTF-8, whole and cut within a character."""
    await _tell(target, frame(Op.TEXT, b"\xff\xfe\xfd"))
    await _tell(target, frame(Op.TEXT, b'{"type":"\xed\xa0\x80"}'))
    await _tell(target, frame(Op.TEXT, b"\xe2\x82", fin=False) + frame(Op.CONTINUATION, b"x"))


@attack()
async def broken_handshakes_and_frames(target: Target) -> None:
    """Opens a session and breaks the protocol, again and again, on 4 connections at a time."""

    async def one() -> None:
        while target.left:
            await _tell(target, frame(3, b"x"), 1.0)

    await target.side_by_side(one, 4)


@attack()
async def random_frames(target: Target) -> None:
    """Sends random bytes as frames, a new connection after each end."""
    dice = random.Random(target.seed)
    while target.left:
        await _tell(target, dice.randbytes(dice.choice((2, 50, 5000, 100_000))), 1.0)
        await asyncio.sleep(0.01)  # the pace of the attack, nothing is waited for


async def _tell(target: Target, data: bytes, seconds: float = 3.0) -> None:
    """Sends bytes in a session of their own and listens to the answer."""
    async with Line(target) as line:
        if await line.shake():
            line.start_listening()
            await line.send(data, 5.0)
            await line.listen(min(seconds, target.left + 0.5))
