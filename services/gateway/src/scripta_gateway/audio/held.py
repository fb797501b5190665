"""Decoded audio that the process holds until it is transcribed, over all sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from scripta_gateway.bounds import MAX_HELD_SECONDS, UNSHARED_SECONDS, Bound
from scripta_gateway.telemetry.metrics import BOUNDS_HIT

_LOOK_SECONDS: Final = 0.1


class Holder(Protocol):
    """What holds audio: a session."""

    @property
    def undecided_seconds(self) -> float:
        """Seconds of audio that it holds."""


class HeldAudio:
    """Keeps clients waiting whose sessions hold much while all of them together hold too much.

    Args:
        holders: Returns all that hold audio.
        most: Seconds that they may hold together.
    """

    def __init__(
        self, holders: Callable[[], Iterable[Holder]], most: float = MAX_HELD_SECONDS
    ) -> None:
        self._holders = holders
        self._most = most

    def has_room(self, holder: Holder) -> bool:
        """Returns whether a holder may take more."""
        # A segment may have to become whole before any of it can be transcribed and let go.
        if holder.undecided_seconds <= UNSHARED_SECONDS:
            return True
        return sum(each.undecided_seconds for each in self._holders()) <= self._most

    async def wait_for_room(self, holder: Holder) -> None:
        """Waits until a holder may take more."""
        if self.has_room(holder):
            return
        BOUNDS_HIT[Bound.HELD_AUDIO].inc()
        while not self.has_room(holder):  # noqa: ASYNC110 - a sum over all sessions has no event
            await asyncio.sleep(_LOOK_SECONDS)
