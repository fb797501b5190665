"""Memory that decoders take beyond the ordinary, over all of them.

Each process has a limit of its own, which a few streams need; if many took as much, the container
would meet its limit, and then the kernel ends all of its processes. So what decoders take beyond an
ordinary stream's memory comes out of one room for all, and while that is overdrawn the greediest
is ended.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Final as Constant
from typing import Protocol

from scripta_gateway.bounds import MAX_SPARE_DECODER_BYTES, ORDINARY_DECODER_BYTES

_LOOK_SECONDS: Constant = 0.25
"""Between two looks: a core fills some 100 MB meanwhile, and a look takes 10 µs a decoder."""


class Taker(Protocol):
    """A decoder that takes memory."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def end_for_memory(self) -> None:
        """Ends it: others need the memory that it takes."""


def own_bytes(pid: int) -> int:
    """Returns the bytes of memory that back no file in a process; 0 if the system does not say."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * resource.getpagesize()


class DecoderMemory:
    """Looks at decoders while there are any. Belongs to one event loop.

    Args:
        most: Bytes that all decoders may take beyond the ordinary.
        measure: Returns the memory of a process by its id.
    """

    def __init__(
        self,
        most: int = MAX_SPARE_DECODER_BYTES,
        measure: Callable[[int], int] = own_bytes,
    ) -> None:
        self._most = most
        self._measure = measure
        # What each had when it was born: it shares that with the process that it was forked from.
        self._born_with: dict[Taker, int] = {}
        self._next_look: asyncio.TimerHandle | None = None

    def enter(self, taker: Taker) -> None:
        """Begins to look at a decoder that was just born."""
        self._born_with[taker] = self._measure(taker.pid)
        self._plan()

    def leave(self, taker: Taker) -> None:
        """Looks no more at a decoder; may be called again."""
        self._born_with.pop(taker, None)
        if not self._born_with and self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None

    def look(self) -> None:
        """Ends the greediest decoders, until the others have room."""
        spare = {taker: self._spare(taker) for taker in self._born_with}
        missing = sum(spare.values()) - self._most
        for taker in sorted(spare, key=spare.__getitem__, reverse=True):
            if missing <= 0:
                return
            missing -= spare[taker]
            self.leave(taker)
            taker.end_for_memory()

    def _spare(self, taker: Taker) -> int:
        taken = self._measure(taker.pid) - self._born_with[taker]
        return max(0, taken - ORDINARY_DECODER_BYTES)

    def _plan(self) -> None:
        if self._next_look is None and self._born_with:
            loop = asyncio.get_running_loop()
            self._next_look = loop.call_later(_LOOK_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._next_look = None
        self.look()
        self._plan()
