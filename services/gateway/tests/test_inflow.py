"""What is under way between a client's messages and the log: one call for all, answers in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, cast

import pytest
import pytest_asyncio

from scripta_common.errors import TooManyRefusals
from scripta_common.sessionlog import AppendOutcome, GatewayLog, SessionOptions
from scripta_common.wire import SAMPLE_RATE, Ended, Entry, EntryKind, Reason, Ring
from scripta_gateway.bounds import (
    MAX_BOUNDARIES,
    MAX_REFUSALS_IN_A_ROW,
    MAX_UNANSWERED,
    MAX_UNWRITTEN_SECONDS,
)
from scripta_gateway.calls.idle_clock import IdleClock, Patience
from scripta_gateway.calls.inflow import Inflow
from scripta_gateway.sessions.session import Limits, Session

pytestmark = pytest.mark.unit

Until = Callable[..., Awaitable[None]]


class HeldLog:
    """A log that answers appends when it is let go."""

    def __init__(self) -> None:
        self.calls: list[list[Entry]] = []
        self.free = asyncio.Event()
        self.free.set()

    async def append(
        self, sid: str, entries: Sequence[Entry], connection: int
    ) -> tuple[AppendOutcome, int]:
        self.calls.append(list(entries))
        await self.free.wait()
        return AppendOutcome.OK, entries[-1].seq

    @property
    def sizes(self) -> list[int]:
        return [len(call) for call in self.calls]


class Client:
    """A client, as far as an inflow sees one."""

    def __init__(self) -> None:
        self.log = HeldLog()
        limits = Limits(backlog=60, stall=30, broker_patience=30)
        log = cast("GatewayLog", self.log)
        self.session = Session(log, "s", SessionOptions(), limits)
        self.clock = IdleClock(Patience(1.0, 6.0, 300.0, 60.0), 0.0)
        self.inflow = Inflow(self.session, self._hear, self.clock)
        self.heard: list[str] = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def _hear(self, frame: str) -> None:
        await self.reads.wait()
        self.heard.append(frame)

    def speak(self, frame: str, seconds: float = 0.02) -> None:
        pcm = bytes(2 * int(seconds * SAMPLE_RATE))
        self.inflow.enter(pcm, len(pcm), at_rest=True)
        self.inflow.accept(frame)

    async def is_held_back(self) -> bool:
        try:
            await asyncio.wait_for(self.inflow.wait_for_room(), 0.02)
        except TimeoutError:
            return True
        return False


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    client = Client()
    writing = asyncio.create_task(client.inflow.run())
    yield client
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)


async def test_what_waits_while_a_call_is_under_way_travels_in_one(
    client: Client, until: Until
) -> None:
    """Guards live speech at a distant broker: with a call a message it falls behind for ever."""
    client.log.free.clear()
    client.speak("0")
    await until(lambda: client.log.calls)
    for number in range(1, 31):
        client.speak(str(number))
    await asyncio.sleep(0)
    assert client.heard == []
    client.log.free.set()
    await until(lambda: len(client.heard) == 31)
    assert client.log.sizes == [1, 30]
    assert client.heard == [str(number) for number in range(31)]


async def test_refusals_keep_their_turn(client: Client, until: Until) -> None:
    client.log.free.clear()
    client.inflow.refuse("no 1")
    await until(lambda: client.heard == ["no 1"])
    client.speak("yes 1")
    client.inflow.refuse("no 2")
    client.speak("yes 2")
    client.inflow.refuse("no 3")
    await until(lambda: client.log.calls)
    assert client.heard == ["no 1"]
    client.log.free.set()
    await until(lambda: len(client.heard) == 5)
    assert client.heard == ["no 1", "yes 1", "no 2", "yes 2", "no 3"]


@pytest.mark.parametrize("seconds", [0.02, 1.0])
async def test_client_is_held_back_while_much_is_not_written(
    client: Client, until: Until, seconds: float
) -> None:
    client.log.free.clear()
    count = 0
    while not client.session.too_far_ahead:
        client.speak(str(count), seconds)
        count += 1
    assert count == min(MAX_UNANSWERED, MAX_UNWRITTEN_SECONDS / seconds)
    assert await client.is_held_back()
    client.log.free.set()
    await until(lambda: len(client.heard) == count)
    assert not await client.is_held_back()


async def test_client_that_reads_no_answers_is_not_read_from(client: Client, until: Until) -> None:
    client.reads.clear()
    for number in range(MAX_UNANSWERED + 1):
        client.inflow.refuse(str(number))
        await asyncio.sleep(0)
    assert await client.is_held_back()
    client.reads.set()
    await until(lambda: len(client.heard) == MAX_UNANSWERED + 1)
    assert not await client.is_held_back()


async def test_boundaries_that_are_not_decided_are_bounded(client: Client, until: Until) -> None:
    """Guards the broker and the transcriber against a flood of `finalize`, which needs no audio."""
    for _ in range(3 * MAX_BOUNDARIES):
        client.inflow.finalize(Reason.FINALIZE)
    await until(lambda: client.session.logged == MAX_BOUNDARIES)
    await asyncio.sleep(0.02)  # in this time one more would be logged
    assert client.session.logged == MAX_BOUNDARIES
    client.session.ring(Ring("s", 0, 10, 0, ()))
    await until(lambda: client.session.logged == MAX_BOUNDARIES + 10)


async def test_answers_are_sent_before_the_end(client: Client, until: Until) -> None:
    """Guards the last answers: the end may ring before the answer to the append is here."""
    client.log.free.clear()
    client.speak("one")
    client.inflow.end()
    await until(lambda: client.log.calls)
    finishing = asyncio.create_task(client.inflow.finish())
    await asyncio.sleep(0)
    assert not finishing.done()
    client.session.ring(Ring("s", 320, 2, 1, (Ended(1, 0.02),)))
    client.log.free.set()
    await asyncio.wait_for(finishing, 5)
    assert client.heard == ["one"]
    client.inflow.refuse("late")
    await asyncio.sleep(0.02)  # in this time it would be sent
    assert client.heard == ["one"]


async def test_client_that_waits_for_an_answer_is_not_silent(client: Client, until: Until) -> None:
    client.log.free.clear()
    client.speak("one")
    await until(lambda: client.log.calls)
    before = client.clock.deadline()
    client.log.free.set()
    await until(lambda: client.heard)
    assert client.clock.deadline() > before


async def test_client_that_is_only_refused_is_sent_away(client: Client, until: Until) -> None:
    for _ in range(2):
        for _ in range(MAX_REFUSALS_IN_A_ROW):
            client.inflow.refuse("no")
        client.speak("yes")
    for _ in range(MAX_REFUSALS_IN_A_ROW):
        client.inflow.refuse("no")
    with pytest.raises(TooManyRefusals):
        client.inflow.refuse("no")


async def test_what_is_entered_is_written_after_the_connection_has_gone(until: Until) -> None:
    """Guards the end of a stream whose client vanished while a call was under way."""
    client = Client()
    client.log.free.clear()
    writing = asyncio.create_task(client.inflow.run())
    client.speak("one")
    await until(lambda: client.log.calls)
    client.speak("two")
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    client.log.free.set()
    client.session.end()
    await client.session.write()
    kinds: list[Any] = [entry.kind for entry in client.log.calls[-1]]
    assert kinds == [EntryKind.AUDIO, EntryKind.AUDIO, EntryKind.END]
    assert [entry.seq for entry in client.log.calls[-1]] == [1, 2, 3]
