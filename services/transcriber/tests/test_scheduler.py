"""The scheduler: who is next, and that nobody is forgotten."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
import pytest_asyncio

from scripta_transcriber.scheduler import Priority, Scheduler

pytestmark = pytest.mark.unit


@pytest_asyncio.fixture
async def one() -> AsyncIterator[Scheduler]:
    """A scheduler with a single thread."""
    scheduler = Scheduler(1)
    yield scheduler
    scheduler.close()


class Gate:
    """A job that holds its thread until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self.let_go.wait(10)


async def occupy(scheduler: Scheduler) -> tuple[Gate, asyncio.Task[None]]:
    gate = Gate()
    task = asyncio.create_task(scheduler.run(Priority.LISTEN, gate))
    await asyncio.to_thread(gate.entered.wait, 10)
    return gate, task


async def test_job_runs_on_a_thread_and_returns_its_result(one: Scheduler) -> None:
    name = await one.run(Priority.FINAL, lambda: threading.current_thread().name)
    assert name.startswith("engine")


async def test_jobs_run_by_urgency_and_then_by_arrival(one: Scheduler) -> None:
    order: list[str] = []

    def job(name: str) -> Callable[[], None]:
        return lambda: order.append(name)

    gate, first = await occupy(one)
    waiting = [
        asyncio.create_task(one.run(priority, job(f"{priority.name} {number}")))
        for number in (1, 2)
        for priority in (Priority.INTERIM, Priority.FINAL, Priority.LISTEN)
    ]
    await asyncio.sleep(0)
    gate.let_go.set()
    await asyncio.wait_for(asyncio.gather(first, *waiting), 10)
    assert order == ["LISTEN 1", "LISTEN 2", "FINAL 1", "FINAL 2", "INTERIM 1", "INTERIM 2"]


async def test_who_has_waited_longest_is_next_and_finals_are_before_them(one: Scheduler) -> None:
    order: list[float] = []
    gate, first = await occupy(one)
    waiting = [
        asyncio.create_task(one.run(priority, partial(order.append, since), since))
        for priority, since in (
            (Priority.INTERIM, 3.0),
            (Priority.INTERIM, 1.0),
            (Priority.INTERIM, 2.0),
            (Priority.FINAL, 9.0),
        )
    ]
    await asyncio.sleep(0)
    gate.let_go.set()
    await asyncio.wait_for(asyncio.gather(first, *waiting), 10)
    assert order == [9.0, 1.0, 2.0, 3.0]


async def test_job_whose_caller_has_gone_is_not_run(one: Scheduler) -> None:
    ran: list[int] = []
    gate, first = await occupy(one)
    waiting = [
        asyncio.create_task(one.run(Priority.FINAL, partial(ran.append, n))) for n in range(3)
    ]
    await asyncio.sleep(0)
    waiting[1].cancel()
    gate.let_go.set()
    await asyncio.wait_for(asyncio.gather(first, *waiting, return_exceptions=True), 10)
    assert ran == [0, 2]


async def test_job_whose_caller_has_gone_is_not_kept(one: Scheduler) -> None:
    """Guards memory: a job holds its audio, and those that wait longest may wait for long."""

    class Job:
        def __call__(self) -> None: ...

    gate, first = await occupy(one)
    job = Job()
    kept = weakref.ref(job)
    waiting = asyncio.create_task(one.run(Priority.INTERIM, job))
    del job
    await asyncio.sleep(0)
    assert kept() is not None
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    del waiting
    await asyncio.sleep(0)  # the loop lets go of what it has just run
    gc.collect()
    assert kept() is None
    gate.let_go.set()
    await first


async def test_job_whose_caller_goes_while_it_runs_does_no_harm(one: Scheduler) -> None:
    gate, first = await occupy(one)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    gate.let_go.set()
    assert await asyncio.wait_for(one.run(Priority.FINAL, lambda: 5), 10) == 5


@pytest.mark.parametrize("error", [ValueError("broken"), StopIteration("ran dry"), OSError(5)])
async def test_exception_reaches_its_caller_and_costs_no_thread(
    one: Scheduler, error: Exception
) -> None:
    def fail() -> None:
        raise error

    for _ in range(3):
        with pytest.raises((type(error), RuntimeError)):
            await asyncio.wait_for(one.run(Priority.FINAL, fail), 5)
    assert await asyncio.wait_for(one.run(Priority.FINAL, lambda: 5), 5) == 5


@pytest.mark.parametrize("threads", [1, 3])
async def test_no_more_jobs_run_at_once_than_there_are_threads(threads: int) -> None:
    scheduler = Scheduler(threads)
    lock, running, most = threading.Lock(), 0, 0
    full = threading.Barrier(threads)

    def job() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        full.wait(10)  # passes only if all threads are at work
        with lock:
            running -= 1

    jobs = [scheduler.run(Priority.FINAL, job) for _ in range(4 * threads)]
    await asyncio.wait_for(asyncio.gather(*jobs), 20)
    scheduler.close()
    assert most == threads


async def test_closed_scheduler_refuses_jobs(one: Scheduler) -> None:
    one.close()
    with pytest.raises(RuntimeError):
        await asyncio.wait_for(one.run(Priority.FINAL, lambda: 5), 5)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows priorities of threads")
async def test_threads_behind_leave_the_processors_to_others() -> None:
    """Guards live speech: a decode of a recording can not be interrupted, only slowed down."""

    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    behind, before = Scheduler(1, behind=True), Scheduler(1)
    try:
        assert await behind.run(Priority.FINAL, niceness) == 19
        assert await before.run(Priority.FINAL, niceness) == niceness() < 19
    finally:
        behind.close()
        before.close()
