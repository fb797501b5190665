"""The quarantine: who is suspected, tried, acquitted and convicted when owners keep dying."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from scripta_common.broker import Broker
from scripta_common.sessionlog import (
    Assignment,
    Claim,
    Fenced,
    GatewayLog,
    SessionOptions,
    TranscriberLog,
)
from scripta_common.wire import Checkpoint, Final, Reason
from scripta_transcriber.quarantine import GUILTY_FROM, SUSPECT_FROM, Quarantine, Trial

pytestmark = pytest.mark.store


class Owner:
    """A transcriber from its start to its death."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.log = TranscriberLog(broker, name, lease=60, ttl=60)
        self.quarantine = Quarantine(self.log)

    async def claim(self, sid: str) -> Claim:
        claim = await self.log.claim(Assignment(b"0-1", sid))
        assert claim is not None
        return claim

    async def trial(self, sid: str) -> Trial:
        return self.quarantine.trial(await self.claim(sid))


@pytest.fixture
def next_owner(broker: Broker) -> Callable[[], Owner]:
    """Makes one owner after the other; each has died when the next is made."""
    names = iter(range(100))
    return lambda: Owner(broker, f"tr{next(names)}")


@pytest.fixture
async def suspects(broker: Broker, next_owner: Callable[[], Owner]) -> list[str]:
    """Three sessions that have lost as many owners together as make them suspects."""
    gateway = GatewayLog(broker, "gw", ttl=60)
    sids = ["first", "second", "third"]
    for sid in sids:
        assert await gateway.open(sid, SessionOptions())
    for _ in range(SUSPECT_FROM - 1):
        owner = next_owner()
        for sid in sids:
            assert await (await owner.trial(sid)).begin()
    return sids


async def waits(trial: Trial) -> asyncio.Task[bool]:
    """Returns a trial's beginning, which must not come before another's end."""
    beginning = asyncio.create_task(trial.begin())
    done, _ = await asyncio.wait([beginning], timeout=0.05)
    assert not done
    return beginning


async def test_session_whose_owners_live_is_worked_on_beside_a_trial(
    broker: Broker, next_owner: Callable[[], Owner], suspects: list[str]
) -> None:
    assert await GatewayLog(broker, "gw", ttl=60).open("innocent", SessionOptions())
    owner = next_owner()
    assert await (await owner.trial(suspects[0])).begin()
    assert await asyncio.wait_for((await owner.trial("innocent")).begin(), 5)


async def test_suspects_are_tried_one_at_a_time(
    next_owner: Callable[[], Owner], suspects: list[str]
) -> None:
    owner = next_owner()
    first, second, third = [await owner.trial(sid) for sid in suspects]
    assert await first.begin()
    waiting = [await waits(second), await waits(third)]
    await first.acquit()
    assert await asyncio.wait_for(waiting[0], 5)
    assert not waiting[1].done()
    second.close()
    assert await asyncio.wait_for(waiting[1], 5)


async def test_session_that_was_tried_when_the_third_owner_died_is_convicted(
    next_owner: Callable[[], Owner], suspects: list[str]
) -> None:
    for _ in range(GUILTY_FROM - 1):
        assert await (await next_owner().trial(suspects[0])).begin()
    assert not await (await next_owner().trial(suspects[0])).begin()


async def test_trial_that_is_noted_twice_for_want_of_an_answer_convicts_nobody(
    next_owner: Callable[[], Owner], suspects: list[str]
) -> None:
    owner = next_owner()
    claim = await owner.claim(suspects[0])
    assert await owner.log.accuse(claim) == 1  # the answer is lost
    assert await asyncio.wait_for(owner.quarantine.trial(claim).begin(), 5)
    assert not await (await next_owner().trial(suspects[0])).begin()


async def test_neighbours_of_the_guilty_are_not_blamed(
    next_owner: Callable[[], Owner], suspects: list[str]
) -> None:
    """They died with it every time, the last time while they waited for their trial."""
    guilty, *neighbours = suspects
    third = next_owner()
    trials = [await third.trial(sid) for sid in suspects]
    assert await trials[0].begin()
    waiting = [await waits(trial) for trial in trials[1:]]
    for beginning in waiting:
        beginning.cancel()
    fourth = next_owner()
    convicted = await fourth.trial(guilty)
    assert not await convicted.begin()
    convicted.close()
    for sid in neighbours:
        trial = await fourth.trial(sid)
        assert await asyncio.wait_for(trial.begin(), 5)
        await trial.acquit()


async def test_acquitted_session_starts_with_a_clean_record(
    next_owner: Callable[[], Owner], suspects: list[str]
) -> None:
    owner = next_owner()
    trial = await owner.trial(suspects[0])
    assert await trial.begin()
    await trial.acquit()
    for attempt in range(1, SUSPECT_FROM):
        assert (await next_owner().claim(suspects[0])).attempts == attempt
    assert await (await next_owner().trial(suspects[0])).begin()  # the first trial again


async def test_session_that_moves_on_starts_with_a_clean_record(
    next_owner: Callable[[], Owner], suspects: list[str]
) -> None:
    owner = next_owner()
    claim = await owner.claim(suspects[0])
    trial = owner.quarantine.trial(claim)
    assert await trial.begin()
    final = Final(1, 0.0, 0.0, "", Reason.ENDPOINT)
    await owner.log.commit(claim, Checkpoint(), 0, [final])
    trial.close()
    assert (await next_owner().claim(suspects[0])).attempts == 1


async def test_session_that_was_handed_off_starts_with_a_clean_record(
    next_owner: Callable[[], Owner], suspects: list[str]
) -> None:
    owner = next_owner()
    await owner.log.release(await owner.claim(suspects[0]))
    assert (await next_owner().claim(suspects[0])).attempts == 1


async def test_former_owner_can_neither_accuse_nor_acquit(
    next_owner: Callable[[], Owner], suspects: list[str]
) -> None:
    former, owner = next_owner(), next_owner()
    old = await former.trial(suspects[0])
    new = await owner.trial(suspects[0])
    assert await new.begin()
    with pytest.raises(Fenced):
        await old.begin()
    await old.acquit()
    assert not await (await next_owner().trial(suspects[0])).begin()


async def test_trial_that_ends_early_makes_room_for_the_next(
    next_owner: Callable[[], Owner], suspects: list[str]
) -> None:
    """By a fence, or cancelled while it waits: a place that is never left would stop all others."""
    owner = next_owner()
    fenced, cancelled, last = [await owner.trial(sid) for sid in suspects]
    await next_owner().claim(suspects[0])
    with pytest.raises(Fenced):
        await fenced.begin()
    waiting = await waits(cancelled)
    waiting.cancel()
    await asyncio.wait([waiting])
    cancelled.close()
    beginning = await waits(last)
    fenced.close()
    fenced.close()
    assert await asyncio.wait_for(beginning, 5)
