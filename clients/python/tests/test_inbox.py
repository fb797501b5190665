from __future__ import annotations

import asyncio

import pytest

from scripta_client.errors import ConnectionLost, ResultsUnread
from scripta_client.events import Final, Interim
from scripta_client.inbox import Inbox

pytestmark = pytest.mark.unit


def final(index):
    return Final(index, "x", 0.0, 1.0)


def interim(text):
    return Interim(text, "", 0.0, 1.0)


async def test_interim_gives_way_to_what_follows_and_finals_never_do():
    inbox = Inbox()
    for event in (final(1), interim("a"), interim("b"), final(2), interim("c")):
        inbox.put(event)
    inbox.close()
    got = []
    while (event := await inbox.get()) is not None:
        got.append(event)
    assert got == [final(1), final(2), interim("c")]


async def test_unread_finals_are_bounded_and_told():
    inbox = Inbox(capacity=2)
    inbox.put(final(1))
    inbox.put(final(2))
    with pytest.raises(ResultsUnread):
        inbox.put(final(3))


async def test_error_comes_after_the_events_before_it_and_stays():
    inbox = Inbox()
    inbox.put(final(1))
    inbox.close(ConnectionLost(1006, ""))
    inbox.close()
    assert await inbox.get() == final(1)
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            await inbox.get()


async def test_cancelled_get_loses_nothing():
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put(final(1))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await inbox.get() == final(1)
