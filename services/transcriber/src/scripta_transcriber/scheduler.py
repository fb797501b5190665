"""The scheduler: who of all sessions gets a thread next.

Owns the worker threads that run native code, and the order: listening first (cheap, and every
boundary waits for it), then finals, then interims. Within a kind, those first whose audience has
waited longest, or else who came first. A job whose caller has gone before it started is not run.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeVar

T = TypeVar("T")


class Priority(IntEnum):
    """Kinds of jobs, the most urgent first."""

    LISTEN = 0
    FINAL = 1
    INTERIM = 2


@dataclass(order=True, slots=True)
class _Entry:
    priority: Priority
    waiting_since: float
    arrival: int
    job: Callable[[], Any] = field(compare=False)
    future: asyncio.Future[Any] = field(compare=False)


class Scheduler:
    """Runs jobs of all sessions on a fixed number of threads.

    A session has at most one job of each kind waiting, so the queue is bounded by the slots.

    Args:
        threads: Number of worker threads.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="engine")
        self._queue: list[_Entry] = []
        self._arrivals = itertools.count()
        self._idle = threads
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, priority: Priority, job: Callable[[], T], waiting_since: float = 0.0) -> T:
        """Runs a blocking job on a thread when its turn comes and returns its result.

        Args:
            priority: Its kind.
            job: What to run.
            waiting_since: Since when somebody waits to hear of it, in seconds of one clock for all
                jobs of the kind.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        entry = _Entry(priority, waiting_since, next(self._arrivals), job, future)
        heapq.heappush(self._queue, entry)
        if self._idle:
            self._idle -= 1
            task = asyncio.create_task(self._work(), name="scheduler")
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        try:
            return await future
        except asyncio.CancelledError:
            # A job holds its audio, and one whose turn is far away would hold it for long.
            if entry in self._queue:
                self._queue.remove(entry)
                heapq.heapify(self._queue)
            raise

    def close(self) -> None:
        """Lets the threads end; jobs that have not started are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                entry = heapq.heappop(self._queue)
                job, future = entry.job, entry.future
                if future.done():
                    continue
                try:
                    result = await loop.run_in_executor(self._pool, _call, job)
                except Exception as error:
                    if not future.done():
                        future.set_exception(error)
                else:
                    if not future.done():
                        future.set_result(result)
        finally:
            self._idle += 1


def _call(job: Callable[[], T]) -> T:
    try:
        return job()
    except StopIteration as error:  # no future can carry it: its caller would wait for ever
        raise RuntimeError("a job ran out of items") from error
