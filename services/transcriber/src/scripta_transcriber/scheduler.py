"""The scheduler: who of all sessions gets a thread next.

Owns the worker threads that run native code, and the order: listening first (cheap, and every
boundary waits for it), then finals, then interims. Within a kind, those first whose audience has
waited longest, or else who came first. A job whose caller has gone before it started is not run.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, TypeVar

T = TypeVar("T")

_LOWEST: Final = 19


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
        behind: Whether its threads leave the processors to all others. A call of an engine can not
            be interrupted, so a job that is only queued behind others would still hold them up.
    """

    def __init__(self, threads: int, *, behind: bool = False) -> None:
        self._pool = ThreadPoolExecutor(
            threads,
            thread_name_prefix="behind" if behind else "engine",
            initializer=_give_way if behind else None,
        )
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


def _give_way() -> None:
    """Gives the calling thread the lowest priority; only Linux knows priorities of threads."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)


def _call(job: Callable[[], T]) -> T:
    try:
        return job()
    except StopIteration as error:  # no future can carry it: its caller would wait for ever
        raise RuntimeError("a job ran out of items") from error
