"""Attacks on places: sessions that are opened for nobody who wants to be heard."""

from __future__ import annotations

import asyncio

from ..attack import Answer, Target, attack
from ..line import Line
from ..wire import binary

_WORD = binary(bytes(3200))


async def _hold(target: Target, count: int, query: str = "", word: bytes = b"") -> None:
    """Opens sessions and keeps them until the attack is over."""

    async def one() -> None:
        async with Line(target) as line:
            if await line.shake(query):
                if word:
                    await line.send(word)
                await line.listen(target.left)

    await target.side_by_side(one, target.count(count))


async def _come_and_go(target: Target, count: int, query: str = "", word: bytes = b"") -> None:
    """Opens sessions one after another and drops each without a closing frame."""

    async def one() -> None:
        async with Line(target) as line:
            if await line.shake(query) and word:
                await line.send(word)
                await line.listen(0.05)

    for _ in range(target.count(count)):
        if not target.left:
            return
        await one()
    await asyncio.sleep(target.left)


@attack(answer=Answer.SERVICE)
async def drop_with_events(target: Target) -> None:
    """Connects and drops 70 times with ``events=true``."""
    await _come_and_go(target, 70, "events=true")


@attack(answer=Answer.SERVICE)
async def drop_without_events(target: Target) -> None:
    """Connects and drops 300 times without a word of audio."""
    await _come_and_go(target, 300)


@attack(answer=Answer.SERVICE)
async def silent_sessions(target: Target) -> None:
    """Opens 56 sessions, as many as there are slots and places in line, and says nothing."""
    await _hold(target, 56)


@attack(answer=Answer.SERVICE)
async def silent_sessions_500(target: Target) -> None:
    """Opens 500 sessions and says nothing."""
    await _hold(target, 500)


@attack(answer=Answer.SERVICE)
async def silent_sessions_with_events(target: Target) -> None:
    """Opens 100 sessions with ``events=true`` and says nothing."""
    await _hold(target, 100, "events=true")


@attack(answer=Answer.SERVICE)
async def wait_and_leave(target: Target) -> None:
    """Opens 500 sessions at once and leaves, one after another, without audio."""
    waiting: list[Line] = []
    gate = asyncio.Semaphore(50)

    async def one() -> None:
        async with gate, Line(target) as line:
            if await line.shake():
                waiting.append(line)
                await line.listen(1.0)

    await target.side_by_side(one, target.count(500))


@attack(answer=Answer.SERVICE)
async def empty_frames_for_a_place(target: Target) -> None:
    """Opens 60 sessions that send empty messages and keepalives but no audio."""
    await _hold(target, 60, word=binary(b""))


@attack(answer=Answer.SERVICE, fills_slots=True)
async def ghosts_in_line(target: Target) -> None:
    """Fills the line with 70 clients that say a word and vanish, again and again."""
    while target.left:
        try:
            async with asyncio.timeout(min(1.5, target.left + 0.1)):
                await _hold(target, 70, "", _WORD)
        except TimeoutError:
            pass
        await asyncio.sleep(min(3.0, target.left))


@attack(answer=Answer.SERVICE, fills_slots=True)
async def more_talkers_than_slots(target: Target) -> None:
    """Says a word on 100 sessions and keeps them."""
    await _hold(target, 100, "", _WORD)


@attack(answer=Answer.SERVICE, fills_slots=True)
async def uploads_in_line(target: Target) -> None:
    """Fills the line with 100 uploads."""
    await _hold(target, 100, "upload=true", _WORD)


@attack(answer=Answer.SERVICE)
async def open_in_a_row(target: Target) -> None:
    """Opens sessions, says a word and drops, as fast as it can, on 4 connections at a time."""

    async def one() -> None:
        while target.left:
            async with Line(target) as line:
                if await line.shake():
                    await line.send(_WORD)

    await target.side_by_side(one, 4)
