"""Listening: the audio of all sessions of a transcriber goes through their segmenters together.

At most one job of it is under way, on one of the scheduler's threads. Whatever has come by the
time that the job gets its thread goes along with it, so the more there is to do, the cheaper it
is; and since the next job is asked for when this one is done, the engine has its turn in between.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE, Entry
from scripta_transcriber.scheduler import Priority, Scheduler
from scripta_transcriber.segmenter.base import Segmenter
from scripta_transcriber.segmenter.together import Decided, Portion, listen

_MOST_BYTES: Final = 30 * SAMPLE_RATE * BYTES_PER_SAMPLE
"""Audio in one job, about: bounds how long the engine waits behind replays."""


@dataclass(frozen=True, slots=True)
class _Request:
    portion: Portion
    answer: asyncio.Future[Decided]


class Listening:
    """Listens for all sessions.

    Args:
        scheduler: What has the threads.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        # Appended to by the event loop, taken from by the job.
        self._requests: deque[_Request] = deque()
        self._task: asyncio.Task[None] | None = None

    async def hear(self, segmenter: Segmenter, entries: Sequence[Entry]) -> Decided:
        """Lets a session hear its next entries and returns what they decide.

        Raises:
            ValueError: There is a gap in the audio.
        """
        answer: asyncio.Future[Decided] = asyncio.get_running_loop().create_future()
        self._requests.append(_Request(Portion(segmenter, entries), answer))
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="listening")
        return await answer

    async def _work(self) -> None:
        try:
            while self._requests:
                for request, outcome in await self._scheduler.run(Priority.LISTEN, self._listen):
                    _settle(request.answer, outcome)
        except Exception as error:  # there are no threads any more
            while self._requests:
                _settle(self._requests.popleft().answer, error)
        finally:
            self._task = None

    def _listen(self) -> list[tuple[_Request, Decided | Exception]]:
        requests = self._take()
        outcomes: list[Decided | Exception]
        try:
            outcomes = listen([request.portion for request in requests])
        except Exception as error:  # the detector's: all that asked it hear of it
            outcomes = [error] * len(requests)
        return list(zip(requests, outcomes, strict=True))

    def _take(self) -> list[_Request]:
        taken: list[_Request] = []
        size = 0
        while self._requests and size < _MOST_BYTES:
            request = self._requests.popleft()
            if not request.answer.done():  # its session may have been cut off
                taken.append(request)
                size += sum(len(entry.pcm) for entry in request.portion.entries)
        return taken


def _settle(answer: asyncio.Future[Decided], outcome: Decided | Exception) -> None:
    if answer.done():
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
