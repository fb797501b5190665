"""Lanes: the pipelines to one server, and which commands go into the next one.

Commands issued in the same turn of the event loop travel in one pipeline over one of a few
connections, so the number of connections of a process does not grow with its sessions and neither
does the number of system calls. Every server has lanes of its own: one that hangs delays the
commands that are meant for it and no others.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

from scripta_common import metrics
from scripta_common.broker_faults import fault_of, is_transient
from scripta_common.errors import BrokerUnavailable
from scripta_common.loop_metrics import Histogram

LANES: Final = 2
"""Pipelines to a server that are under way at once: one is filled while the other is awaited."""

MAX_BATCH: Final = 256
"""Commands in one pipeline; more wait for the next, which bounds the buffers on both sides."""

Argument = str | bytes | int
Command = Sequence[Argument]

Issued = tuple[Command, "asyncio.Future[Any]", Histogram, float, int]
"""A command, who waits for its answer, what its time counts as, when it was issued, and how often
it was sent to another server than it was meant for."""

Send = Callable[[Sequence[Command]], Awaitable[list[Any]]]
PassOn = Callable[[Issued, Exception], bool]


class Lanes:
    """Carries commands to one server, in the order in which they are issued.

    Args:
        send: Sends a pipeline and returns the answers; errors of single commands among them.
        pass_on: Called with a command that was answered by an error; returns true if it has been
            issued elsewhere and gets its answer there.
    """

    def __init__(self, send: Send, pass_on: PassOn | None = None) -> None:
        self._send = send
        self._pass_on = pass_on
        self._waiting: deque[Issued] = deque()
        self._lanes: set[asyncio.Task[None]] = set()
        self._gone: Exception | None = None

    def issue(self, timer: Histogram, command: Command) -> asyncio.Future[Any]:
        """Puts a command into the next pipeline; returns its answer to come.

        Args:
            timer: What its time counts as.
            command: The command. It may run twice.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.enter((command, future, timer, time.perf_counter(), 0))
        return future

    def enter(self, issued: Issued) -> None:
        """Puts a command into the next pipeline that was issued before."""
        self._waiting.append(issued)
        if len(self._lanes) < LANES:
            self._lanes.add(asyncio.create_task(self._drive(), name="broker-lane"))

    async def aclose(self, gone: Exception | None = None) -> None:
        """Ends all pipelines.

        Args:
            gone: What the callers of commands under way or in line get; by default they are
                cancelled.
        """
        self._gone = gone
        lanes = tuple(self._lanes)
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        self._lanes.clear()  # one that was cancelled before it began is still there
        self._give_up(self._waiting)
        self._waiting.clear()

    async def _drive(self) -> None:
        try:
            # The first yield lets everything that is ready in this turn join the batch.
            await asyncio.sleep(0)
            while self._waiting:
                count = min(len(self._waiting), MAX_BATCH)
                await self._drive_batch([self._waiting.popleft() for _ in range(count)])
        finally:
            # Here and not in a callback: a command issued between the two would wait for a lane
            # that has ended.
            self._lanes.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _drive_batch(self, batch: list[Issued]) -> None:
        try:
            answers = await self._send([issued[0] for issued in batch])
        except asyncio.CancelledError:
            self._give_up(batch)
            raise
        except Exception as error:  # whatever it is, every caller in this batch hears of it
            answers = [error] * len(batch)
        now = time.perf_counter()
        for issued, answer in zip(batch, answers, strict=True):
            if self._pass_on and isinstance(answer, Exception) and self._pass_on(issued, answer):
                continue
            issued[2].observe(now - issued[3])
            _settle(issued[1], answer)

    def _give_up(self, batch: Sequence[Issued] | deque[Issued]) -> None:
        for _, future, *_ in batch:
            if self._gone is None:
                future.cancel()
            else:
                _settle(future, self._gone)


def _settle(future: asyncio.Future[Any], answer: Any) -> None:
    if isinstance(answer, BaseException):
        count_fault(answer)
    if future.done():  # its caller was cancelled
        return
    if is_transient(answer):
        error = BrokerUnavailable()
        error.__cause__ = answer
        future.set_exception(error)
    elif isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def count_fault(error: BaseException) -> None:
    """Counts an error of the broker, unless it is a part of normal work."""
    fault = fault_of(error)
    if fault is not None:
        metrics.BROKER_ERRORS[fault].inc()
