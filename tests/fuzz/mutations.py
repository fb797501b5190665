"""Damage to files: the same for the same number, so that every find can be had again."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_MOST_AT_ONCE = 8
_DRIBBLED = 120


def _flip_bits(data: bytearray, dice: random.Random) -> None:
    for _ in range(dice.choice((1, 1, 2, 5, 30))):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def _overwrite(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    data[at : at + dice.randrange(1, 64)] = dice.randbytes(dice.randrange(1, 64))


def _truncate(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(1, len(data) + 1) :]


def _cut_out(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    del data[at : at + dice.randrange(1, 200)]


def _repeat(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    part = data[at : at + dice.randrange(1, 400)]
    data[at:at] = part * dice.choice((1, 1, 3, 50))


def _claim_a_length(data: bytearray, dice: random.Random) -> None:
    """Writes a number that is a length somewhere: most of them stand near the start."""
    reach = dice.choice((64, 512, len(data)))
    width = dice.choice((1, 2, 3, 4, 8))
    number = dice.choice(_NUMBERS) & (1 << 8 * width) - 1
    order = dice.choice(("big", "little"))
    at = dice.randrange(min(reach, len(data)))
    data[at : at + width] = number.to_bytes(width, "big" if order == "big" else "little")


def _fill(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    size = dice.randrange(1, 300)
    data[at : at + size] = bytes([dice.choice((0, 0xFF, 0x55))]) * size


_WAYS: Sequence[Callable[[bytearray, random.Random], None]] = (
    _flip_bits,
    _flip_bits,
    _overwrite,
    _truncate,
    _cut_out,
    _repeat,
    _claim_a_length,
    _claim_a_length,
    _fill,
)


def mutated(seeds: Sequence[bytes], seed: int, number: int) -> list[bytes]:
    """Returns the messages of a mutation."""
    dice = random.Random(f"{seed}-{number}")
    data = bytearray(dice.choice(seeds))
    if dice.random() < 0.1:  # the head of one file on the body of another
        other = dice.choice(seeds)
        data = data[: dice.randrange(1, len(data))] + other[dice.randrange(len(other)) :]
    for _ in range(dice.choice((1, 1, 2, 4))):
        if data:
            dice.choice(_WAYS)(data, dice)
    if dice.random() < 0.1:
        data = bytearray(dice.choice(seeds)) + data
    return _in_messages(bytes(data), dice)


def _in_messages(data: bytes, dice: random.Random) -> list[bytes]:
    """Splits a stream as clients do: one message, a few, or its first bytes one by one."""
    way = dice.random()
    if way < 0.5 or len(data) < 2:
        return [data]
    if way < 0.95:
        count = min(dice.randrange(1, _MOST_AT_ONCE), len(data) - 1)
        cuts = sorted(dice.sample(range(1, len(data)), count))
        return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    return [*(data[at : at + 1] for at in range(min(_DRIBBLED, len(data)))), data[_DRIBBLED:]]
