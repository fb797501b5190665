"""The text of the metrics, made for as many at a time as ask for it.

Making it takes milliseconds on the loop. Whoever asks while one is made, or too soon after the
last, gets the next one together with all others that wait. So asking costs a bounded share of the
time, however many ask. Nobody gets numbers that are older than the question.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

_REST: Final = 4
"""How many times as long as making one took, none is made."""


class Scrapes:
    """Makes texts.

    Args:
        make: Makes one.
    """

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._next: asyncio.Future[bytes] | None = None
        self._not_before = 0.0

    async def text(self) -> bytes:
        """Returns a text that is made after the call; cancelled, the others get theirs."""
        if self._next is None:
            loop = asyncio.get_running_loop()
            self._next = loop.create_future()
            loop.call_at(max(loop.time(), self._not_before), self._finish)
        return await asyncio.shield(self._next)

    def _finish(self) -> None:
        waiting, self._next = self._next, None
        assert waiting is not None  # only set here and where this is planned
        began = time.perf_counter()
        try:
            waiting.set_result(self._make())
        except Exception as error:
            waiting.set_exception(error)
        took = time.perf_counter() - began
        self._not_before = asyncio.get_running_loop().time() + _REST * took
