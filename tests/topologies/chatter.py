"""Clients whose every message is told from the others by its size, as are its transcripts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from native import Talk, decided, talk
from websockets.exceptions import InvalidStatus

from scripta_local.stack import Stack

# A machine that is held up for a second must not add an idle flush to the messages.
ENV = {"IDLE_FLUSH_SECONDS": "30"}

_ADMITTED_SECONDS = 10
"""Long enough for transcribers to say again that they are there."""


class Chatter:
    """One client, who sends message after message."""

    def __init__(self, session: Talk, first_size: int) -> None:
        self.session = session
        self._sent: list[int] = []
        self._size = first_size

    async def say(self, count: int, *, pause: float = 0.0) -> None:
        """Sends messages, waiting for each to be acknowledged."""
        for _ in range(count):
            self._size += 2
            self._sent.append(self._size)
            await self.session.send(bytes(self._size))
            await self.session.until(lambda: len(self.session.acknowledged) == len(self._sent))
            await asyncio.sleep(pause)

    async def until_heard(self) -> None:
        """Waits until all that was said so far has its transcript."""
        await self.session.until(lambda: len(self.session.finals) == len(self._sent))

    @property
    def said(self) -> int:
        """Messages sent so far."""
        return len(self._sent)

    @property
    def heard(self) -> list[int]:
        """Sizes in the transcripts, in the order in which they came."""
        texts = [final["text"] for final in self.session.finals]
        sizes = [re.search(r"\(size: (\d+) bytes\)", text) for text in texts]
        return [int(size[1]) if size else 0 for size in sizes]

    async def end(self) -> None:
        """Ends the stream; everything must have been heard once and in order."""
        await self.session.end()
        decided(self.session.finals)
        assert self.heard == self._sent
        assert self.session.acknowledged == self._sent
        assert (self.session.close_code, self.session.errors) == (1000, [])


async def admitted(connections: AsyncExitStack, stack: Stack) -> Talk:
    """Connects one client, who knocks again where nobody is free.

    Behind a failover nobody serves newcomers until the transcribers have been heard of again.
    """
    deadline = asyncio.get_running_loop().time() + _ADMITTED_SECONDS
    while True:
        try:
            return await connections.enter_async_context(talk(stack.ws_url))
        except InvalidStatus as refused:
            late = asyncio.get_running_loop().time() > deadline
            if refused.response.status_code != 503 or late:
                raise
            await asyncio.sleep(0.1)


@asynccontextmanager
async def chatters(stack: Stack, count: int) -> AsyncIterator[list[Chatter]]:
    """Connects clients; each message of each has a size of its own."""
    async with AsyncExitStack() as connections:
        everybody = []
        for number in range(count):
            session = await admitted(connections, stack)
            everybody.append(Chatter(session, 1000 * (number + 1)))
        yield everybody


@asynccontextmanager
async def talking(everybody: Sequence[Chatter]) -> AsyncIterator[None]:
    """Lets all talk on and on while the block runs."""
    over = asyncio.Event()

    async def talk_on(one: Chatter) -> None:
        while not over.is_set():
            await one.say(1, pause=0.02)

    async with asyncio.TaskGroup() as tasks:
        for one in everybody:
            tasks.create_task(talk_on(one))
        try:
            yield
        finally:
            over.set()


async def say_more(everybody: Sequence[Chatter], count: int) -> None:
    """Waits until each of those who talk has said so much more, and all of it was heard."""
    goals = [one.said + count for one in everybody]
    for one, goal in zip(everybody, goals, strict=True):
        await one.session.until(lambda one=one, goal=goal: len(one.session.finals) >= goal)


async def all_of(everybody: Sequence[Chatter], do: Callable[[Chatter], Awaitable[None]]) -> None:
    """Lets all do something at the same time."""
    async with asyncio.TaskGroup() as tasks:
        for one in everybody:
            tasks.create_task(_do(do, one))


async def _do(do: Callable[[Chatter], Awaitable[None]], one: Chatter) -> None:
    await do(one)
