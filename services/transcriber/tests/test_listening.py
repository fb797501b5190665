"""Listening: who goes along with whom, and who comes in between."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from scripta_common.wire import SAMPLE_RATE, Checkpoint, Entry, EntryKind
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.listening import Listening
from scripta_transcriber.scheduler import Priority, Scheduler
from scripta_transcriber.segmenter.base import Cut

pytestmark = pytest.mark.unit

T = TypeVar("T")


class Diary(Scheduler):
    """A scheduler with one thread that writes down what it runs."""

    def __init__(self) -> None:
        super().__init__(1)
        self.ran: list[str] = []

    async def run(self, priority: Priority, job: Callable[[], T]) -> T:
        def noted() -> T:
            self.ran.append(priority.name)
            return job()

        return await super().run(priority, noted)


class Ear:
    """A segmenter that cuts behind every entry and writes down who was heard."""

    quiet = False

    def __init__(self, name: str, diary: Diary) -> None:
        self._name = name
        self._diary = diary

    def feed(self, entry: Entry) -> list[Cut]:
        self._diary.ran.append(f"{self._name}{entry.seq}")
        if entry.kind is EntryKind.END:
            raise ValueError("an ear that can not stand the end")
        return [Cut(None, Checkpoint(entry.end_sample, entry.seq))]

    def open_segment(self) -> Segment | None:
        return None


@pytest_asyncio.fixture
async def diary() -> AsyncIterator[Diary]:
    diary = Diary()
    yield diary
    diary.close()


def audio(*seqs: int, seconds: float = 0.1) -> list[Entry]:
    return [Entry(seq, EntryKind.AUDIO, 0, bytes(int(2 * SAMPLE_RATE * seconds))) for seq in seqs]


async def occupy(diary: Diary) -> tuple[threading.Event, asyncio.Task[Any]]:
    """Holds the thread until the event is set."""
    entered, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert let_go.wait(10)

    task = asyncio.create_task(diary.run(Priority.FINAL, hold))
    assert await asyncio.to_thread(entered.wait, 10)
    return let_go, task


async def together(*tasks: asyncio.Task[Any]) -> list[Any]:
    return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)


async def test_sessions_that_wait_for_the_thread_are_heard_in_one_job(diary: Diary) -> None:
    listening = Listening(diary)
    let_go, held = await occupy(diary)
    tasks = [
        asyncio.create_task(listening.hear(Ear(name, diary), audio(1, 2))) for name in ("a", "b")
    ]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(listening.hear(Ear("c", diary), audio(7))))
    await asyncio.sleep(0)
    let_go.set()
    _, a, b, c = await together(held, *tasks)
    assert diary.ran == ["FINAL", "LISTEN", "a1", "a2", "b1", "b2", "c7"]
    assert [by for _, by in a] == [by for _, by in b] == [1, 2]
    assert [by for _, by in c] == [7]


async def test_engine_has_its_turn_between_two_jobs(diary: Diary) -> None:
    """A folder of long recordings would put off everybody's finals until all was listened to."""
    listening = Listening(diary)
    let_go, held = await occupy(diary)
    tasks = [
        asyncio.create_task(listening.hear(Ear(name, diary), audio(1, seconds=20)))
        for name in ("a", "b", "c")
    ]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(diary.run(Priority.FINAL, lambda: None)))
    await asyncio.sleep(0)
    let_go.set()
    await together(held, *tasks)
    assert diary.ran == ["FINAL", "LISTEN", "a1", "b1", "FINAL", "LISTEN", "c1"]


async def test_session_that_fails_fails_alone(diary: Diary) -> None:
    listening = Listening(diary)
    torn = [Entry(3, EntryKind.END, 0)]
    failed, heard = await together(
        asyncio.create_task(listening.hear(Ear("a", diary), torn)),
        asyncio.create_task(listening.hear(Ear("b", diary), audio(1))),
    )
    assert isinstance(failed, ValueError)
    assert [by for _, by in heard] == [1]


async def test_session_that_was_cut_off_is_not_heard(diary: Diary) -> None:
    listening = Listening(diary)
    let_go, held = await occupy(diary)
    tasks = [asyncio.create_task(listening.hear(Ear(name, diary), audio(1))) for name in ("a", "b")]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    let_go.set()
    await together(held, *tasks)
    assert diary.ran == ["FINAL", "LISTEN", "b1"]


async def test_without_threads_everybody_is_told(diary: Diary) -> None:
    listening = Listening(diary)
    diary.close()
    for _ in range(2):
        outcomes = await together(
            *(
                asyncio.create_task(listening.hear(Ear(name, diary), audio(1)))
                for name in ("a", "b")
            )
        )
        assert [type(outcome) for outcome in outcomes] == [RuntimeError] * 2


async def test_detector_that_fails_is_told_to_all_that_asked_it(
    diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(portions: object) -> None:
        raise OSError("no model any more")

    monkeypatch.setattr("scripta_transcriber.listening.listen", fail)
    listening = Listening(diary)
    outcomes = await together(
        *(
            asyncio.create_task(hear)
            for hear in map(partial(listening.hear, entries=audio(1)), [Ear("a", diary)] * 2)
        )
    )
    assert [type(outcome) for outcome in outcomes] == [OSError] * 2
