"""Balance: who of a pool has too many live sessions, and who is to take the next one. Pure.

A transcriber's fair part of the pool's live sessions is as large as its part of the slots. One that
has more than that, rounded up, hands sessions over; one that has less takes them. All that are
handed over together are never more than the others lack, so nobody hands back what it has got.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from scripta_common.fleet import Fleet

_WORTH: Final = 0.2
"""By this part of its own sessions another has to have less for a handoff to be worth it."""
_PART: Final = 2
"""Of what is to be handed over, one in so many goes at a time; then the pool is looked at again."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a transcriber has to do.

    Attributes:
        live: Its live sessions. Uploads do not count: they are heard in the time that is left.
        slots: Live sessions that it can serve.
    """

    live: int
    slots: int

    def beside(self, other: Load) -> float:
        """Returns how many live sessions it would have with as many slots as another."""
        return self.live * other.slots / self.slots


Loads = Mapping[str, Load]
"""What each transcriber of a pool has to do that takes sessions."""


def loads_of(fleet: Fleet, pool: str) -> Loads:
    """Returns the loads of a pool's transcribers; none while these have not the same models.

    Then a rollout is under way, which moves sessions by itself.
    """
    members = {
        name: one for name, one in fleet.roll.members.items() if one.pool == pool and one.slots
    }
    if len({one.offer for one in members.values()}) > 1:
        return {}
    leases = fleet.pools[pool].leases
    return {
        name: Load(max(0, leases.get(name, 0) - one.uploads), one.slots)
        for name, one in members.items()
    }


def surplus(own: str, loads: Loads) -> int:
    """Returns how many live sessions a transcriber hands over now.

    Args:
        own: The transcriber.
        loads: Those of its pool.
    """
    load = loads.get(own)
    if load is None:
        return 0
    least = min(one.beside(load) for one in loads.values())
    if load.live - least <= max(1.0, _WORTH * load.live):
        return 0
    over = load.live - _fair(load, loads, 0)
    return max(0, min(over, max(1, over // _PART)))


def gives_way(own: str, loads: Loads) -> bool:
    """Returns whether a transcriber leaves a session in line to those that have less to do."""
    load = loads.get(own)
    if load is None or load.live < _fair(load, loads, 1):
        return False
    return any(one.live < _fair(one, loads, 1) for one in loads.values())


def _fair(load: Load, loads: Loads, more: int) -> int:
    """Returns a transcriber's part of the live sessions, rounded up.

    Args:
        load: The transcriber's.
        loads: Those of the pool.
        more: Sessions that are about to come.
    """
    sessions = sum(one.live for one in loads.values()) + more
    return math.ceil(sessions * load.slots / sum(one.slots for one in loads.values()))
