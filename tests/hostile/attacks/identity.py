"""Attacks on other people's sessions, and by ids that are none."""

from __future__ import annotations

import asyncio
import random
import secrets

from ..attack import Answer, Target, attack
from ..line import Line
from ..wire import binary

_ODD = ("%7Dx", "%00", "%0d%0aX:%20y", "..%2f..", "{}", "*", "%F0%9F%92%A9", "", "x" * 5000)


async def _resume(target: Target, query: str) -> None:
    """Tries to take up a session and listens for a moment."""
    async with Line(target) as line:
        if await line.shake(f"events=true&{query}"):
            await line.send(binary(bytes(3200)))
            await line.listen(min(0.5, target.left))


@attack(answer=Answer.SERVICE)
async def guess_tokens(target: Target) -> None:
    """Guesses tokens as fast as it can, on 8 connections at a time."""

    async def one() -> None:
        while target.left:
            async with Line(target) as line:
                await line.shake(f"events=true&resume={secrets.token_urlsafe(32)}")

    await target.side_by_side(one, 8)


@attack(answer=Answer.SERVICE)
async def odd_tokens(target: Target) -> None:
    """Takes up sessions by tokens that are none."""
    for token in _ODD:
        await _resume(target, f"resume={token}")


@attack(answer=Answer.SERVICE)
async def odd_sessions(target: Target) -> None:
    """Takes up sessions by ids that are none, such as ``}x``."""
    for sid in _ODD:
        await _resume(target, f"session={sid}")


@attack()
async def from_beyond(target: Target) -> None:
    """Takes up sessions from results 10^30, -1, and x."""
    for index in (10**30, -1, 1 << 63, "x", "1e3", "%00"):
        await _resume(target, f"resume={secrets.token_urlsafe(32)}&from={index}")
        await _resume(target, f"session={secrets.token_hex(16)}&from={index}")


@attack(answer=Answer.SERVICE)
async def steal_by_id(target: Target) -> None:
    """Takes up its own sessions by the id that logs show; says whether that opened one."""
    opened = 0
    for _ in range(5):
        async with Line(target) as victim:
            if not await victim.shake("events=true"):
                continue
            await victim.send(binary(bytes(3200)))
            await victim.listen(0.3)
            sid = victim.headers.get("scripta-session", "")
            async with Line(target) as thief:
                for query in (f"session={sid}", f"resume={sid}", f"session={sid}&resume={sid}"):
                    if await thief.shake(f"events=true&from=0&{query}"):
                        await thief.listen(0.3)
                    break
            opened += not await victim.listen(0.3)
    target.told.note(f"the id opened {opened} of 5 sessions")


@attack(answer=Answer.SERVICE)
async def resume_by_turns(target: Target) -> None:
    """Opens a session and takes it up again and again, from 4 connections at once."""
    dice = random.Random(target.seed)
    async with Line(target) as first:
        if not await first.shake("events=true"):
            return
        await first.send(binary(bytes(3200)))
        first.start_listening()
        sid = first.headers.get("scripta-session", "")

        async def one() -> None:
            while target.left:
                await _resume(target, f"session={sid}&resume={sid}&from=0")
                await asyncio.sleep(dice.random() / 10)

        await target.side_by_side(one, 4)
