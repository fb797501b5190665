"""Ties a child's life to its parent's, so that a ``kill -9`` of the parent leaves nothing behind.

Linux only; elsewhere a child outlives a parent that dies without a chance to stop it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def die_with_parent() -> Callable[[], None] | None:
    """Returns a ``preexec_fn`` that has the kernel kill the child when its parent dies.

    The kernel goes by the *thread* that forks: start children from a thread that lives as long
    as they should (the main thread).
    """
    if sys.platform != "linux":
        return None
    # Everything is looked up before the fork: after it, another thread's locks stay locked.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # A parent that died before the call above sends no signal any more.
        if os.getppid() != parent:
            os._exit(0)

    return tie
