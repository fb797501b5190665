"""Admission: how many sessions and uploads a pool takes. Pure.

A live session is taken while a slot is free for it, or while so many slots are expected to come
free within a stated time. An upload can wait: it gets a slot that no live session waits for, and
so many uploads may wait as is set. The slot of an upload counts as free for a live session: both
are served, and the upload is decoded in the time that live sessions leave. Nothing here knows who
holds a place: the figures come from what was last seen of the fleet, and the broker decides when a
session goes in line.
"""

from __future__ import annotations

from dataclasses import dataclass

from scripta_common.errors import NoCapacity
from scripta_common.fleet import Pool


@dataclass(frozen=True, slots=True)
class Admission:
    """How long and how many may wait.

    Attributes:
        live_wait: Seconds within which a live session has to be served, or it is refused.
        max_uploads: Uploads of a pool that may wait for a slot.
    """

    live_wait: float
    max_uploads: int

    def most_live(self, pool: Pool, coming: int) -> int:
        """Returns how many sessions a pool's line may have when a live one joins it.

        Args:
            pool: As it was last seen.
            coming: Slots that are expected to come free within ``live_wait`` seconds.
        """
        return pool.slots + pool.lent + min(coming, pool.slots)

    def most_uploads(self, pool: Pool, sessions: int) -> int:
        """Returns how many uploads may wait, those included that have a slot in prospect.

        Args:
            pool: As it was last seen.
            sessions: Sessions that have, or are about to have, its slots.
        """
        return max(0, pool.slots - sessions) + self.max_uploads

    def refusal(self, pool: Pool, *, upload: bool) -> NoCapacity:
        """Returns what a client is told for which there is no place."""
        if upload:
            waiting = "no upload may wait"
            if self.max_uploads:
                waiting = f"{self.max_uploads} uploads wait already"
            return NoCapacity(
                f'All {pool.slots} slots of pool "{pool.name}" are taken and {waiting}; '
                "try again later."
            )
        if not pool.slots:
            return NoCapacity(
                f'No transcriber of pool "{pool.name}" is ready; try again in some seconds.'
            )
        soon = f" and none is expected to come free within {self.live_wait:g} s"
        return NoCapacity(
            f'All {pool.slots} slots of pool "{pool.name}" are taken'
            f"{soon if self.live_wait else ''}; try again in some seconds."
        )
