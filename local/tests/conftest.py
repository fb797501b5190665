"""Stand-ins for the services, and waiting for a condition."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from scripta_local.stack import Commands

STANDIN = (sys.executable, str(Path(__file__).with_name("standin.py")))


@pytest.fixture
def standins() -> Commands:
    return Commands(gateway=STANDIN, transcriber=STANDIN)


@pytest.fixture
def gone() -> Callable[[int], bool]:
    def exists_not(pid: int) -> bool:
        try:
            # A zombie that its parent has not collected is gone as well.
            stat = Path(f"/proc/{pid}/stat").read_text()
        except FileNotFoundError:
            return True
        return stat.rpartition(")")[2].split()[0] == "Z"

    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc")
    return exists_not


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    async def wait(condition: Callable[[], bool], seconds: float = 15.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - other processes set no event
                await asyncio.sleep(0.01)

    return wait
