"""When this process looks for garbage in cycles: rarely, and not among what it was started with.

A message makes some dozen objects that are gone with it. Python looks for cycles after every 700
that are left over, and now and then among all objects that there are: with hundreds of sessions
that takes a twelfth of the processor time, and a tenth of a second each time for every client.
"""

from __future__ import annotations

import gc
from typing import Final

_NEW_OBJECTS: Final = 2_000
"""Objects left over until the youngest are looked through: what a dozen ended sessions leave."""

_ROUNDS: Final = 10
"""Looks at a generation until the next older one has its turn."""


def spare_the_loop() -> None:
    """Makes collections rare; to be called when all modules are loaded and nothing runs yet."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _ROUNDS, _ROUNDS)
