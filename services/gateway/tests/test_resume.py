"""Sessions that clients come back to: who has one, and what becomes of those who had it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from scripta_common.errors import Superseded
from scripta_common.sessionlog import SessionOptions
from scripta_common.wire import SAMPLE_RATE, Final
from scripta_gateway.access.resume_tokens import ResumeToken
from scripta_gateway.sessions.hub import Hub
from scripta_gateway.sessions.session import Session
from scripta_gateway.telemetry.metrics import Outcome

pytestmark = pytest.mark.store

SECOND = bytes(2 * SAMPLE_RATE)
OPTIONS = SessionOptions()
Until = Callable[..., Awaitable[None]]
MakeHub = Callable[..., Awaitable[Hub]]


class Gate:
    """Holds up the first of a hub's takeovers in its middle, where it reads the audio."""

    def __init__(self, hub: Hub) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        self._read = hub.opener._log.read_entries
        hub.opener._log.read_entries = self._wait  # type: ignore[method-assign]

    async def _wait(self, sid: str, after: int) -> Any:
        if not self.reached.is_set():
            self.reached.set()
            await self.open.wait()
        return await self._read(sid, after)


async def open_session(hub: Hub) -> tuple[Session, ResumeToken]:
    token = ResumeToken.make()
    session = await hub.opener.open(OPTIONS, token)
    await session._writer.join()
    return session, token


async def say(session: Session) -> None:
    """Puts a second of audio into the session's log."""
    session.enter(SECOND, 1)
    await session.write()


async def upkeep(hub: Hub) -> None:
    """Does at once what the hub does when nothing was heard of its sessions for a while."""
    for session in hub.held.by_id.values():
        session.heard_at = float("-inf")
    await hub.held.upkeep.run_once()


async def hears(session: Session, scribe: Any) -> bool:
    """Returns whether the transcript of what is said now reaches the session's client."""
    await say(session)
    if scribe.claim is None:
        await scribe.take()
    await scribe.work(until_seq=session._exchange.ledger.last_seq)
    async with asyncio.timeout(5):
        while True:
            for result in await session.next_results():
                if isinstance(result, Final) and result.index == scribe.index:
                    return True


async def superseded(session: Session) -> bool:
    """Returns whether the session's client is told so, once it has what is there."""
    async with asyncio.timeout(5):
        with suppress(Superseded):
            while True:
                await session.next_results()
    return True


@pytest.mark.parametrize("first_is_held_up", [True, False])
async def test_newest_of_two_that_come_back_together_has_the_session_and_hears(
    make_hub: MakeHub, scribe: Any, first_is_held_up: bool
) -> None:
    """Guards against a takeover that began first, ends last and leaves the newest one deaf."""
    hub = await make_hub()
    opened, token = await open_session(hub)
    await say(opened)
    gate = Gate(hub)
    first = asyncio.create_task(hub.opener.resume(token, 0))
    await gate.reached.wait()
    if not first_is_held_up:
        gate.open.set()
        await first
    newest = await hub.opener.resume(token, 0)
    gate.open.set()
    older = await first
    assert older.connection < newest.connection
    assert hub.held.by_id == {newest.sid: newest}
    assert await superseded(opened)
    assert await superseded(older)
    hub.held.leave(older, comes_back=False)
    assert hub.held.by_id == {newest.sid: newest}
    assert await hears(newest, scribe)


async def test_many_that_come_back_at_once_leave_one_that_hears(
    make_hub: MakeHub, scribe: Any
) -> None:
    hubs = [await make_hub(), await make_hub()]
    opened, token = await open_session(hubs[0])
    await say(opened)
    came = await asyncio.gather(*(hubs[n % 2].opener.resume(token, 0) for n in range(10)))
    newest = max(came, key=lambda session: session.connection)
    assert len({session.connection for session in came}) == 10
    for hub in hubs:
        await upkeep(hub)
    for session in (opened, *came):
        assert session is newest or await superseded(session)
    assert await hears(newest, scribe)


async def test_takeover_that_is_itself_taken_over_at_another_gateway_learns_of_it(
    make_hub: MakeHub, scribe: Any, until: Until
) -> None:
    """Its notice comes while nobody holds the session there yet."""
    hub, other = await make_hub(), await make_hub()
    opened, token = await open_session(hub)
    await say(opened)
    hub.held.part(opened, Outcome.ABANDONED)
    gate = Gate(hub)
    first = asyncio.create_task(hub.opener.resume(token, 0))
    await gate.reached.wait()
    newest = await other.opener.resume(token, 0)
    gate.open.set()
    assert await superseded(await first)
    assert await hears(newest, scribe)


async def test_former_owner_that_missed_its_notice_learns_of_it_by_its_upkeep(
    make_hub: MakeHub, scribe: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hub, other = await make_hub(), await make_hub()
    former, token = await open_session(hub)
    hub._doorbell._on_ring = lambda _: None
    newest = await other.opener.resume(token, 0)
    await upkeep(hub)
    assert await superseded(former)
    hub.held.leave(former, comes_back=False, outcome=Outcome.SUPERSEDED)
    assert not hub.held.unattended  # its stream is the newest one's to end
    assert await hears(newest, scribe)


async def test_one_that_lingers_and_missed_its_notice_is_forgotten(
    make_hub: MakeHub, scribe: Any
) -> None:
    hub, other = await make_hub(), await make_hub()
    former, token = await open_session(hub)
    hub.held.leave(former, comes_back=True)
    hub._doorbell._on_ring = lambda _: None
    newest = await other.opener.resume(token, 0)
    await upkeep(hub)
    assert not hub.held.by_id
    assert await hears(newest, scribe)
