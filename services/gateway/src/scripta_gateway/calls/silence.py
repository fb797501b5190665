"""Watches one connection for silence, and for a client that does not read what it is sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from scripta_common.errors import SessionIdle
from scripta_gateway.calls.channels import Channels
from scripta_gateway.calls.idle_clock import Due, IdleClock
from scripta_gateway.calls.outlet import Outlet

_ARRIVED_SECONDS: Final = 0.05
"""Long enough to read what has already arrived."""


class SilenceWatch:
    """Looks now and then: a time-out for each message would cost more than the message.

    Args:
        channels: The sessions that are fed.
        clock: Follows the messages.
        outlet: Follows what is sent.
        every: Seconds between two looks, at most: nothing is due after a shorter silence.
        handling: Held while a message is dealt with, and here while silence is.
        pause: Notes that the client paused.
        flush: Finalizes what was said.
    """

    def __init__(
        self,
        channels: Channels,
        clock: IdleClock,
        outlet: Outlet,
        *,
        every: float,
        handling: asyncio.Lock,
        pause: Callable[[], None],
        flush: Callable[[], Awaitable[None]],
    ) -> None:
        self._channels = channels
        self._clock = clock
        self._outlet = outlet
        self._every = every
        self._handling = handling
        self._pause = pause
        self._flush = flush

    async def run(self) -> None:
        """Watches until cancelled.

        Raises:
            SessionIdle: The client sent nothing for too long.
            Gone: It does not read what it is sent.
        """
        while True:
            due_in = self._clock.deadline() - time.monotonic()
            # Behind audio that comes meanwhile, nothing is due before a whole ``every`` is over.
            asleep = min(max(due_in, _ARRIVED_SECONDS), self._every)
            wakes = time.monotonic() + asleep
            await asyncio.sleep(asleep)
            now = time.monotonic()
            self._clock.stood_still(now - wakes)
            self._outlet.check(now)
            if self._clock.due(now) is not None:
                await self._on_silence()

    async def _on_silence(self) -> None:
        # This process may have stood still (frozen, or short of processor time) and the client
        # not: what has arrived by now is read before anyone is called silent.
        await asyncio.sleep(_ARRIVED_SECONDS)
        now = time.monotonic()
        if self._handling.locked() or self._channels.unwritten:
            self._clock.held_up(now)  # it may wait for our answer, rightly
            return
        async with self._handling:
            match self._clock.due(now):
                case Due.PAUSE:
                    self._pause()
                case Due.FLUSH:
                    await self._flush()
                case Due.CLOSE if not self._channels.outstanding:
                    raise SessionIdle("The client sent nothing for too long.")
                case Due.CLOSE:
                    self._clock.message(now)  # it waits for results, rightly
