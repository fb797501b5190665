"""Gateways that follow a script, for clients that lose their connection."""

from __future__ import annotations

import asyncio

import scripta_client
from scripta_client import (
    Backoff,
)

ONE, TWO, THREE = b"\1\1" * 100, b"\2\2" * 100, b"\3\3" * 100
AT_ONCE = Backoff(jitter=lambda: 0.0)
RAW = {"encoding": "linear16", "backoff": AT_ONCE}


class Acts:
    """A script a connection, in order; what each client asked for."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.asked = []

    async def __call__(self, peer):
        self.asked.append(peer.asked)
        script = self.scripts[len(self.asked) - 1]
        await script(peer)


def taken_up(received, *, heard=None, finals=(), **more):
    """Resumes with so many messages, and goes on to the end."""

    async def script(peer):
        await peer.open(resumed=True, received=received, **more)
        for index in finals:
            await peer.final(index, f"final {index}", index - 1, index)
        audio = await peer.until_end()
        if heard is not None:
            heard.append(audio)
        await peer.over()

    return script


async def converse(acts, gateway, *messages, end=True, **options):
    """Sends messages, ends, and returns all events."""
    async with asyncio.timeout(15):
        async with (
            gateway(acts) as server,
            scripta_client.connect(server.url, **(RAW | options)) as session,
        ):
            for message in messages:
                await session.send(message)
            if end:
                await session.end()
            return [event async for event in session]
