"""The memory of the gateway and of all processes that it started, held under a limit.

A stand-in for the memory limit of a container, which needs no rights. What the processes hold is
looked at often; shared pages count once, as a cgroup counts them. Beyond the limit the gateway is
killed as the kernel would do it. Unlike a cgroup it does not see the kernel's socket buffers.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_PAGE: Final = os.sysconf("SC_PAGESIZE")
_LOOK_SECONDS: Final = 0.1
_CLOSE_LOOK_SECONDS: Final = 0.5


def family_of(pid: int) -> list[int]:
    """Returns a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            parent = _parent_of(int(folder.name))
            children.setdefault(parent, []).append(int(folder.name))
    found, queue = [], [pid]
    while queue:
        member = queue.pop()
        found.append(member)
        queue += children.get(member, [])
    return found


class MemoryWatch:
    """Looks at a process's memory until it is cancelled; kills what grows beyond the limit.

    Attributes:
        peak: The most bytes that were seen.
        kills: How often the limit was passed.
        most_processes: The most processes that were seen.

    Args:
        pid: Returns the process's id, ``None`` while it does not run.
        limit: Bytes.
    """

    def __init__(self, pid: Callable[[], int | None], limit: int) -> None:
        self.peak = 0
        self.kills = 0
        self.most_processes = 0
        self._pid = pid
        self._limit = limit
        self._close_look_at = 0.0

    async def run(self) -> None:
        """Looks again and again, in a thread: a close look at a large process takes its time."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(_LOOK_SECONDS)

    def look(self) -> None:
        """Looks once; closely only from time to time, because that holds the processes up."""
        pid = self._pid()
        if pid is None:
            return
        family = family_of(pid)
        self.most_processes = max(self.most_processes, len(family))
        own = _resident(pid)
        # Each shared page counts once for every process here: never less than the truth.
        most = own + sum(map(_resident, family[1:]))
        now = time.monotonic()
        if own <= self._limit and (most <= self.peak or now < self._close_look_at):
            return
        self._close_look_at = now + _CLOSE_LOOK_SECONDS
        held = sum(map(_proportional, family)) if len(family) > 1 else own
        self.peak = max(self.peak, held)
        if held > self._limit:
            self.kills += 1
            for member in family:
                _kill(member)


def _parent_of(pid: int) -> int:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def _resident(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def _proportional(pid: int) -> int:
    """Returns the process's memory, of shared pages its share."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
