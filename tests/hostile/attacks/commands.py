"""Attacks by text messages: JSON that is large, deep or strange, and floods of commands."""

from __future__ import annotations

from ..attack import Answer, Target, attack
from ..line import Line
from ..wire import MIB, Op, binary, frame, text


async def _flood(target: Target, block: bytes, count: int = 1, audio: bool = False) -> None:
    async def one() -> None:
        async with Line(target) as line:
            if await line.shake() and (not audio or await line.send(binary(bytes(3200)))):
                await line.flood(block)

    await target.side_by_side(one, count)


async def _say(target: Target, data: bytes, count: int = 1) -> None:
    async def one() -> None:
        async with Line(target) as line:
            if await line.shake():
                line.start_listening()
                await line.send(data)
                await line.listen(target.left)

    await target.side_by_side(one, count)


@attack()
async def long_text(target: Target) -> None:
    """Sends a JSON text of 15 MB with five million objects."""
    await _say(target, text("[" + "{}," * (5 * MIB) + "{}]"))


@attack()
async def long_texts_side_by_side(target: Target) -> None:
    """Sends a JSON text of 15 MB on 10 connections."""
    await _say(target, text("[" + "{}," * (5 * MIB) + "{}]"), 10)


@attack()
async def long_text_in_fragments(target: Target) -> None:
    """Sends a JSON text of 15 MB in fragments of 4 kB."""
    part = b"{}," * 1365
    middle = frame(Op.CONTINUATION, part, fin=False) * (15 * MIB // len(part))
    await _say(target, frame(Op.TEXT, b"[", fin=False) + middle + frame(Op.CONTINUATION, b"{}]"))


@attack()
async def deep_json(target: Target) -> None:
    """Sends a JSON text of a million open brackets."""
    await _say(target, text("[" * MIB))


@attack()
async def deep_json_below_the_limit(target: Target) -> None:
    """Floods JSON texts of 2000 open brackets."""
    await _flood(target, text('{"type":' * 1000) * 50)


@attack()
async def long_strings(target: Target) -> None:
    """Sends JSON strings of 1 MB, plain, escaped and beyond the basic plane."""
    for letters in (
        "a" * MIB,
        "\\u0000" * (MIB // 6),
        "\U0001f4a9" * (MIB // 4),
        '\\"' * (MIB // 2),
    ):
        await _say_once(target, text(f'{{"type":"{letters}"}}'))


@attack()
async def type_names(target: Target) -> None:
    """Sends commands whose name is 1 MB, a number, an array, null, or nothing."""
    for value in (f'"{"x" * MIB}"', "1", "[[]]", "null", '""', '"\\u0000"', "1e999", "true"):
        await _say_once(target, text(f'{{"type":{value}}}'))


@attack()
async def duplicate_keys(target: Target) -> None:
    """Sends objects with one key 100,000 times, and with as many different keys."""
    await _say_once(target, text("{" + '"type":"x",' * 100_000 + '"type":"y"}'))
    await _say_once(target, text("{" + ",".join(f'"k{n}":1' for n in range(100_000)) + "}"))


@attack()
async def long_numbers(target: Target) -> None:
    """Sends integers of a million digits, and of 4000."""
    await _say_once(target, text('{"type":' + "9" * MIB + "}"))
    await _say_once(target, text('{"type":' + "9" * 4000 + "}"))
    await _say_once(target, text('{"type":-1e' + "9" * 4000 + "}"))


@attack()
async def no_json(target: Target) -> None:
    """Floods texts that are no JSON."""
    await _flood(target, text("not json at all") * 1000)


@attack()
async def unknown_types(target: Target) -> None:
    """Floods commands that do not exist, on 5 connections."""
    await _flood(target, text('{"type":"shutdown"}') * 1000, 5)


@attack(answer=Answer.SERVICE)
async def keepalive_flood(target: Target) -> None:
    """Floods keepalives."""
    await _flood(target, text('{"type":"keepalive"}') * 1000)


@attack(answer=Answer.SERVICE)
async def finalize_flood(target: Target) -> None:
    """Floods finalizes after a word of audio."""
    await _flood(target, text('{"type":"finalize"}') * 1000, audio=True)


@attack(answer=Answer.SERVICE)
async def finalize_between_samples(target: Target) -> None:
    """Floods one sample and a finalize, in turn, on 5 connections."""
    await _flood(target, (binary(b"\0\0") + text('{"type":"finalize"}')) * 500, 5)


@attack(answer=Answer.SERVICE)
async def end_flood(target: Target) -> None:
    """Ends the stream a thousand times and sends audio behind it."""
    end = text('{"type":"end"}')
    await _say(target, binary(bytes(3200)) + end * 1000 + binary(bytes(3200)) * 100 + end)


@attack()
async def texts_below_the_limit(target: Target) -> None:
    """Floods JSON texts of 3 kB that cost as much as they can."""
    await _flood(target, text("[" + "{}," * 1000 + "{}]") * 100, 3)


async def _say_once(target: Target, data: bytes, seconds: float = 2.0) -> None:
    async with Line(target) as line:
        if await line.shake():
            line.start_listening()
            await line.send(data, 5.0)
            await line.listen(min(seconds, target.left))
