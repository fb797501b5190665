"""What a decoder's process may do: compute within bounds, and talk to the gateway; nothing else.

Set before any of a client's bytes is read. What a system does not know is left out: on macOS the
deadline of a step, which the gateway keeps, bounds the processor time and indirectly the memory.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import time
from pathlib import Path
from typing import Final as Constant

_NICE_OF_DECODERS: Constant = 5
"""A live decoder sleeps most of the time and is hardly slower for it, but a dozen that
compute at once would keep the event loop, and with it everybody, waiting for a processor."""

_NICE: Constant = 10
"""For what nobody waits for word by word."""

_LAST_WORDS_BYTES: Constant = 4 * 1024 * 1024
_NICEST: Constant = 19
_PR_SET_NO_NEW_PRIVS: Constant = 38
_PR_SET_CHILD_SUBREAPER: Constant = 36


def confine(memory_bytes: int, file_descriptor: int) -> None:
    """Takes from this process what it does not need.

    Args:
        memory_bytes: Address space that it may take besides what it has.
        file_descriptor: The highest one that it keeps; it can open no other.
    """
    taken = address_space()  # while a file can still be opened
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_NOFILE, file_descriptor + 1)
    if taken:
        most = taken + memory_bytes
        _limit(resource.RLIMIT_AS, most, most + _LAST_WORDS_BYTES)
    if sys.platform == "linux":
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def bound_next_step(cpu_seconds: int) -> None:
    """Lets the kernel end this process (SIGXCPU) when it computes for longer than that from now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + cpu_seconds + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def let_the_gateway_go_first() -> None:
    """Lets the gateway's own process compute before this one and all that are forked from it."""
    os.nice(_NICE_OF_DECODERS)


def give_way() -> None:
    """Lets live streams and the event loop compute first, from now on."""
    os.nice(_NICE)


def make_idle(pid: int) -> None:
    """Lets a process compute only in time that nobody else wants."""
    try:
        if sys.platform == "linux":
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
        else:
            os.setpriority(os.PRIO_PROCESS, pid, _NICEST)
    except OSError:
        return


def adopt_orphans() -> None:
    """Makes this process the parent of its children's orphans, so that it can end and reap them."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def cpu_seconds(pid: int) -> float:
    """Returns the processor time that a process has used.

    A system that does not say gets the time that has passed: whoever is late there, computes.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def address_space() -> int:
    """Returns the bytes of address space that this process has; 0 if the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def free_last_words() -> None:
    """Gives a process that has used up its memory enough to say so."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    _limit(resource.RLIMIT_AS, hard)


def _limit(what: int, most: int, hard: int | None = None) -> None:
    try:
        resource.setrlimit(what, (most, most if hard is None else hard))
    except (ValueError, OSError):
        # Set lower already, or unknown here.
        return


# Looked up while libraries can still be opened.
_PRCTL: Constant = getattr(ctypes.CDLL(None), "prctl", None)


def _prctl(option: int, value: int) -> None:
    if _PRCTL is not None:
        _PRCTL(option, value, 0, 0, 0)
