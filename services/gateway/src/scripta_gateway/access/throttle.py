"""Slows whoever tries keys: each address has some wrong attempts, then each takes its time.

So do all addresses together: an answer costs as much as any other request, and who speaks would
notice a thousand a second. Callers with a good key never wait, whatever others at their address do.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from scripta_common.errors import OverLimit
from scripta_gateway.bounds import (
    ALL_BAD_ATTEMPTS_A_SECOND,
    BAD_ATTEMPTS_A_SECOND,
    BAD_ATTEMPTS_BURST,
    BAD_ATTEMPTS_REMEMBERED,
    BAD_ATTEMPTS_WAITING,
    Bound,
)
from scripta_gateway.telemetry import metrics
from scripta_gateway.transports.rate import Allowance

_LONGEST: Final = 2.0
"""Seconds that an attempt waits at most."""


class Throttle:
    """The wrong attempts of each address, and of all.

    Args:
        clock: Returns seconds that do not jump.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._addresses: OrderedDict[str, Allowance] = OrderedDict()
        rate = ALL_BAD_ATTEMPTS_A_SECOND
        self._all = Allowance(rate, rate, clock())
        self._waiting = 0

    async def fail(self, address: str) -> None:
        """Records a wrong attempt, and waits as long as its answer has to.

        Cancelled, since its client has gone, the attempt stays recorded.

        Raises:
            OverLimit: Too many attempts wait already.
        """
        wait = max(self._spend(address), self._spend_of_all())
        if not wait:
            return
        metrics.BOUNDS_HIT[Bound.BAD_ATTEMPTS].inc()
        if self._waiting >= BAD_ATTEMPTS_WAITING:
            raise OverLimit("Too many wrong keys; try again later.", retry_after=int(_LONGEST))
        self._waiting += 1
        try:
            await asyncio.sleep(min(wait, _LONGEST))
        finally:
            self._waiting -= 1

    def _spend(self, address: str) -> float:
        now = self._clock()
        allowance = self._addresses.pop(address, None)
        if allowance is None:
            allowance = Allowance(BAD_ATTEMPTS_A_SECOND, BAD_ATTEMPTS_BURST, now)
        self._addresses[address] = allowance
        if len(self._addresses) > BAD_ATTEMPTS_REMEMBERED:
            self._addresses.popitem(last=False)
        return allowance.spend(1, now)

    def _spend_of_all(self) -> float:
        now = self._clock()
        wait = self._all.spend(0, now)
        if wait < _LONGEST:  # nobody has to wait longer for those that came before
            wait = self._all.spend(1, now)
        return wait
