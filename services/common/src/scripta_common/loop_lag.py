"""How late the event loop wakes its tasks up: what blocks it holds up everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

_PAUSE_SECONDS: Final = 0.5


async def watch_loop(observe: Callable[[float], None]) -> None:
    """Tells ``observe`` about twice a second by how many seconds it was late; until cancelled."""
    while True:
        asked = time.monotonic()
        await asyncio.sleep(_PAUSE_SECONDS)
        observe(max(0.0, time.monotonic() - asked - _PAUSE_SECONDS))
