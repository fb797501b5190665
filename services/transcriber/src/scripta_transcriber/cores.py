"""How many cores this process may use: what it is bound to, and the quota of its container."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Final

_CGROUPS: Final = Path("/sys/fs/cgroup")
_MOST: Final = 64


def usable_cores() -> int:
    """Returns how many threads can be busy at the same time, 1 to 64.

    More threads than the quota allows would be stopped together for the rest of each period.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = cpu_quota(_CGROUPS)
    cores = bound or 1
    return min(_MOST, cores if quota is None else max(1, min(cores, math.ceil(quota))))


def cpu_quota(cgroups: Path) -> float | None:
    """Returns the container's quota in cores; ``None`` if there is none.

    Args:
        cgroups: Where control groups are mounted, version 2 or 1; in a container it is its own.
    """
    for name in ("cpu.max", "cpu/cpu.cfs_quota_us"):
        try:
            words = (cgroups / name).read_text().split()
            period = words[1:] or (cgroups / "cpu/cpu.cfs_period_us").read_text().split()
            quota, of = float(words[0]), float(period[0])
        except (OSError, ValueError, IndexError):  # not there, "max", or of a kind we do not know
            continue
        if quota > 0 and of > 0:  # version 1 says -1 for no limit
            return quota / of
    return None
