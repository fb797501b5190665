"""Usage after a fault: of each session what was accepted, and in all what of the sessions.

What the broker knows of each session is compared with the session's own end. The sums of days are
compared with all sessions, so that a second that was added twice shows.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.usage import total_field

from .compare import Verdict
from .sessions import Heard
from .system import System

_SAMPLE_RATE: Final = 16_000
_TOLERANCE: Final = 0.1
_PATIENCE: Final = 20.0
_PAUSE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Bill:
    """What the broker says of a session.

    Attributes:
        seconds: Seconds of audio.
        finals: Finals.
    """

    seconds: float
    finals: int


async def audited(
    system: System, heards: Sequence[Heard], verdicts: Sequence[Verdict]
) -> list[Verdict]:
    """Returns verdicts that also say what is wrong with the usage of each session.

    What a broker has forgotten is counted again within seconds, so it is given some time.
    """
    give_up_at = time.monotonic() + _PATIENCE
    while True:
        found = await _audit(system, heards)
        if not any(differences for _, differences in found) or time.monotonic() > give_up_at:
            break
        await asyncio.sleep(_PAUSE)
    return [
        replace(verdict, usage_off=off, differences=(*verdict.differences, *differences))
        for verdict, (off, differences) in zip(verdicts, found, strict=True)
    ]


async def _audit(system: System, heards: Sequence[Heard]) -> list[tuple[float, tuple[str, ...]]]:
    async with Redis.from_url(system.broker.url, decode_responses=True) as client:
        found = [_judge(await _bill(client, heard.sid), heard) for heard in heards]
        wrong = await _sums(client)
    if found and wrong:
        off, differences = found[0]
        found[0] = (off, (*differences, wrong))
    return found


def _judge(bill: Bill, heard: Heard) -> tuple[float, tuple[str, ...]]:
    if heard.duration is None:
        return math.inf, ()  # it has not ended, which is said already
    off = abs(bill.seconds - heard.duration)
    if off > _TOLERANCE or bill.finals != len(heard.finals):
        of = f"{heard.duration:.2f} s and {len(heard.finals)} finals"
        return off, (f"usage is {bill.seconds:.2f} s and {bill.finals} finals of {of}",)
    return off, ()


async def _bill(client: Redis, sid: str) -> Bill:
    samples, finals = await client.hmget(keys.counted("", sid), "samples", "finals")
    return Bill(int(samples or 0) / _SAMPLE_RATE, int(finals or 0))


async def _sums(client: Redis) -> str:
    # In one step, because sessions of the round before may still be counted.
    async with client.pipeline(transaction=True) as pipe:
        days = [name async for name in client.scan_iter(match=keys.usage("", "*-??"))]
        of_all = [name async for name in client.scan_iter(match=keys.counted("", "*"))]
        for name in days:
            pipe.hget(name, total_field())
        for name in of_all:
            pipe.hget(name, "samples")
        numbers = [int(number or 0) for number in await pipe.execute()]
    billed, counted = sum(numbers[: len(days)]), sum(numbers[len(days) :])
    if billed == counted:
        return ""
    return f"all days have {billed} samples, all sessions {counted}"
