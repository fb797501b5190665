"""Workers: slots, leases, takeovers and drain, against a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from redis.asyncio import Redis
from worker_steps import SHORT, Texts, Until, holders, speak, undisturbed

from scripta_common import keys
from scripta_common.sessionlog import Claim, TranscriberLog
from scripta_common.wire import Checkpoint, Entry, Recorded

pytestmark = pytest.mark.store


class Trap(TranscriberLog):
    """A log whose transcriber is stopped dead at one of its calls, before or after it works."""

    at = 0
    after = False

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.calls = 0
        self.sprung = asyncio.Event()

    async def _pass(self, *, after: bool) -> None:
        if not after:
            self.calls += 1
        if self.calls == self.at and after == self.after:
            self.sprung.set()
            await asyncio.Event().wait()

    async def read(self, sid: str, after: int, count: int) -> list[Entry]:
        await self._pass(after=False)
        entries = await super().read(sid, after, min(count, 2))
        await self._pass(after=True)
        return entries

    async def commit(
        self,
        claim: Claim,
        checkpoint: Checkpoint,
        after: int,
        recorded: Sequence[Recorded],
        **more: Any,
    ) -> None:
        await self._pass(after=False)
        await super().commit(claim, checkpoint, after, recorded, **more)
        await self._pass(after=True)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 11))
async def test_takeover_anywhere_gives_the_finals_of_an_undisturbed_run(
    make_transcriber: Any, call: Any, at: int, after: bool
) -> None:
    expected = await undisturbed(make_transcriber, call)
    trap = type("TrapHere", (Trap,), {"at": at, "after": after})
    first = make_transcriber(log=trap, lease=SHORT).start()
    session = await call()
    await speak(session)
    await asyncio.wait_for(first.log.sprung.wait(), 10)
    before = await session.log.read_results(session.sid, 0)
    await first.kill()
    make_transcriber(lease=SHORT).start()
    assert before == expected[: len(before)]
    assert await session.results() == expected


async def test_takeover_while_the_engine_works_gives_the_same_finals(
    make_transcriber: Any, call: Any, until: Until, texts: Texts
) -> None:
    first = make_transcriber(lease=SHORT).start()
    session = await call()
    await session.say("Said.Wait", "ing for what?.And", " more.")
    await until(first.engine.waiting.is_set)
    second = make_transcriber(lease=SHORT)
    second.engine.go.set()
    await first.kill()
    second.start()
    await session.end()
    assert texts(await session.results()) == ["Said.", "Waiting for what?.", "And more."]


async def test_owner_that_hangs_and_wakes_up_late_changes_nothing(
    make_transcriber: Any, call: Any, until: Until
) -> None:
    expected = await undisturbed(make_transcriber, call)
    trap = type("TrapHere", (Trap,), {"at": 3, "after": False})
    first = make_transcriber(log=trap, lease=SHORT).start()
    session = await call()
    await speak(session)
    await asyncio.wait_for(first.log.sprung.wait(), 10)
    [zombie] = first.worker._tasks.values()
    first.lose_heartbeat()  # the session's task stands where it stands
    make_transcriber(lease=SHORT).start()
    results = await session.results()
    zombie.cancel()
    assert results == expected


async def test_lease_that_is_lost_ends_its_task(
    make_transcriber: Any, call: Any, until: Until, redis: Redis
) -> None:
    first = make_transcriber(lease=SHORT).start()
    session = await call()
    await until(lambda: first.sessions)
    [entry_id] = first.worker._tasks
    await redis.xclaim(keys.ASSIGN, keys.GROUP, "somebody-else", 0, [entry_id])
    await until(lambda: not first.sessions)
    assert await holders(redis) == [b"somebody-else"]
    await session.say("Not for the former owner.")
    assert first.engine.heard == []


async def test_session_that_is_claimed_during_a_heartbeat_is_kept(
    make_transcriber: Any, call: Any, until: Until
) -> None:
    """Not being among the renewed leases it was taken for lost."""

    class Slow(TranscriberLog):
        asked = False
        claimed: asyncio.Event

        async def renew(self, leases: Sequence[bytes]) -> set[bytes]:
            held = await super().renew(leases)
            if len(leases) == 1 and not Slow.asked:
                Slow.asked = True
                await asyncio.wait_for(Slow.claimed.wait(), 10)
            return held

    Slow.claimed = asyncio.Event()
    transcriber = make_transcriber(log=Slow, lease=2).start()
    await call()
    await until(lambda: Slow.asked)
    second = await call()
    await until(lambda: second.sid in transcriber.sessions)
    task = transcriber.worker._by_session[second.sid]
    Slow.claimed.set()
    await second.say("Still here.")
    assert [result.text for result in await second.results(1)] == ["Still here."]
    assert transcriber.worker._by_session[second.sid] is task
    assert await second.epoch() == 1


async def test_no_more_sessions_are_served_than_there_are_slots(
    make_transcriber: Any, call: Any, until: Until, redis: Redis
) -> None:
    transcriber = make_transcriber(slots=2, lease=2).start()
    sessions = [await call() for _ in range(5)]
    await until(lambda: len(transcriber.sessions) == 2)
    served = 0
    for session in sessions:
        await session.say("Served.")
    waiting = {session.sid: session for session in sessions}
    while waiting:
        await until(lambda: transcriber.sessions & waiting.keys())
        assert len(transcriber.worker._tasks) <= 2
        session = waiting.pop(next(iter(transcriber.sessions & waiting.keys())))
        await session.end()
        assert len(await session.results()) == 2
        served += 1
    assert served == 5
    await until(lambda: not transcriber.sessions)


async def test_last_slot_goes_to_one_of_an_expired_and_a_new_session(
    make_transcriber: Any, call: Any, until: Until, redis: Redis
) -> None:
    """They are taken by two loops; the one too many goes back in line for others."""
    lost = make_transcriber(slots=1).start()
    expired = await call()
    await until(lambda: lost.sessions)
    await lost.kill()

    class Both(TranscriberLog):
        met = asyncio.Barrier(2)

        async def next_assignment(self, wait: float) -> Any:
            assignment = await super().next_assignment(wait)
            if assignment is not None:
                await Both.met.wait()
            return assignment

        async def reclaim(self, count: int) -> Any:
            assignments = await super().reclaim(count)
            if assignments:
                await Both.met.wait()
            return assignments

    busy = make_transcriber(slots=1, lease=SHORT, log=Both)
    await asyncio.sleep(SHORT)  # so that the lease has expired by the server's clock
    fresh = await call()
    busy.start()
    async with asyncio.timeout(10):
        while Both.met.n_waiting or not busy.sessions:
            await asyncio.sleep(0.01)
            assert len(busy.worker._tasks) <= 1
    helper = make_transcriber(slots=1, lease=60).start()
    for session in (expired, fresh):
        await session.say("Heard.")
        assert len(await session.results(1)) == 1
    assert len(busy.sessions) == len(helper.sessions) == 1
    assert busy.sessions | helper.sessions == {expired.sid, fresh.sid}


async def test_session_that_is_in_line_twice_settles_with_one_owner(
    make_transcriber: Any, call: Any, until: Until, redis: Redis
) -> None:
    """Each lease fenced the other's owner, at every expiry, for ever."""
    transcribers = [make_transcriber(lease=SHORT).start() for _ in range(2)]
    session = await call()
    await session.log.assign(session.sid)

    async def settled() -> bool:
        return len(await holders(redis)) == 1 and sum(len(t.sessions) for t in transcribers) == 1

    await until(settled)
    await session.say("One.")
    await session.results(1)
    await until(settled)
    epoch = await session.epoch()
    await asyncio.sleep(3 * SHORT)  # long enough for every lease to expire
    assert await session.epoch() == epoch
    await session.say("Two.")
    await session.end()
    assert [getattr(r, "text", None) for r in await session.results()] == ["One.", "Two.", None]
