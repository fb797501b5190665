"""What a connection does with a session at a gateway, in tests with a transcriber by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from scripta_common.sessionlog import SessionOptions
from scripta_common.wire import SAMPLE_RATE, Final, Interim
from scripta_gateway.sessions.hub import Hub
from scripta_gateway.sessions.session import Session

SECOND = bytes(2 * SAMPLE_RATE)
OPTIONS = SessionOptions()
Until = Callable[..., Awaitable[None]]
MakeHub = Callable[..., Awaitable[Hub]]


async def append(session: Session, pcm: bytes, message_bytes: int) -> None:
    """Enters audio; returns when the log has it."""
    session.enter(pcm, message_bytes)
    await session.write()


async def end(session: Session) -> None:
    """Enters the end of the stream; returns when the log has it."""
    session.end()
    await session.write()


async def collect(session: Session, count: int, seconds: float = 10) -> list[Any]:
    """Waits for so many recorded results."""
    results: list[Any] = []
    async with asyncio.timeout(seconds):
        while len(results) < count:
            results += [r for r in await session.next_results() if not isinstance(r, Interim)]
    return results


async def opened(hub: Hub, options: SessionOptions = OPTIONS) -> Session:
    """Opens a session and puts it in line before it has anything to be heard."""
    session = await hub.opener.open(options)
    await session._writer.join()
    return session


def texts(results: list[Any]) -> list[str]:
    return [result.text for result in results if isinstance(result, Final)]


def entries(first: int, last: int) -> list[str]:
    return [f"entry {seq}" for seq in range(first, last + 1)]


async def deaf(session: Session) -> None:
    """Makes a session miss all rings from here on."""
    session.ring = lambda *_: None  # type: ignore[method-assign]


async def poll(hub: Hub, session: Session) -> None:
    """Does at once what the hub does when nothing was heard for a while."""
    session.heard_at = float("-inf")
    await hub.held.upkeep.run_once()


def hear_again(session: Session) -> None:
    del session.ring  # type: ignore[attr-defined]
