"""Taking a session out of its line: only one that no transcriber has, and no other's."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.sessionlog import GatewayLog, SessionOptions, TranscriberLog

pytestmark = pytest.mark.store

OPTIONS = SessionOptions()


async def test_session_that_nobody_has_leaves_nothing(
    gateway: GatewayLog, transcriber: TranscriberLog, redis: Redis
) -> None:
    for sid in ("one", "two", "three"):
        await gateway.open(sid, OPTIONS)
    assert await gateway.withdraw("two")
    assert not await redis.keys("*{two}*")
    taken = [await transcriber.next_assignment(0.5) for _ in range(3)]
    assert [each.sid for each in taken if each is not None] == ["one", "three"]


async def test_session_that_a_transcriber_has_stays(
    gateway: GatewayLog, transcriber: TranscriberLog, redis: Redis
) -> None:
    await gateway.open("one", OPTIONS)
    await gateway.open("two", OPTIONS)
    assert await transcriber.next_assignment(2) is not None
    assert not await gateway.withdraw("one")
    assert await redis.exists(keys.state("one"))
    assert await redis.xlen(keys.ASSIGN) == 2


async def test_session_of_which_nothing_is_accepted_goes_whoever_has_it(
    gateway: GatewayLog, transcriber: TranscriberLog
) -> None:
    await gateway.open("one", OPTIONS)
    assignment = await transcriber.next_assignment(2)
    assert assignment is not None
    assert await gateway.withdraw("one", certainly=True)
    assert await transcriber.claim(assignment) is None  # and its lease is dropped


async def test_session_is_withdrawn_before_there_was_any_transcriber(
    broker: Broker, redis: Redis
) -> None:
    gateway = GatewayLog(broker, "gw", ttl=60)
    await gateway.open("one", OPTIONS)
    assert await gateway.withdraw("one")
    assert await redis.xlen(keys.ASSIGN) == 0


async def test_line_from_which_the_last_was_withdrawn_holds_nobody(
    gateway: GatewayLog, transcriber: TranscriberLog
) -> None:
    """Guards a session whose entry is lost: it counted on one that had left."""
    await gateway.open("one", OPTIONS)
    assignment = await transcriber.next_assignment(2)
    assert assignment is not None
    await transcriber.drop(assignment.entry_id)
    await gateway.open("two", OPTIONS)
    assert await gateway.is_served("")
    await gateway.withdraw("two")
    assert not await gateway.is_served("")
