"""How full one pool is: by what was last seen of the fleet, and by the places given out here."""

from __future__ import annotations

import time
from collections.abc import Callable

from scripta_common.errors import NoCapacity
from scripta_common.fleet import Pool
from scripta_gateway.admission.admission import Admission
from scripta_gateway.admission.fleet_watch import FleetWatch
from scripta_gateway.admission.reservations import Reservations
from scripta_gateway.bounds import RESERVED_SECONDS


class Occupancy:
    """Counts the sessions and uploads of one pool.

    Args:
        name: The pool.
        fleet: What is known of the transcribers.
        admission: How long and how many may wait.
        waiting: Returns how many uploads of this gateway wait.
        told: Returns how many of them the fleet's figures include.

    Attributes:
        live: Places of live clients that have not spoken yet, and sessions that have come or gone.
        uploads: Places of uploads of which nothing has arrived yet.
    """

    def __init__(
        self,
        name: str,
        fleet: FleetWatch,
        admission: Admission,
        waiting: Callable[[], int],
        told: Callable[[], int],
    ) -> None:
        self._name = name
        self._fleet = fleet
        self._admission = admission
        self._waiting = waiting
        self._told = told
        self.live = Reservations(RESERVED_SECONDS)
        self.uploads = Reservations(RESERVED_SECONDS)

    @property
    def pool(self) -> Pool:
        """The pool as it was last seen."""
        return self._fleet.known.pools.get(self._name) or Pool(self._name)

    @property
    def sessions(self) -> int:
        """Sessions in the pool's line."""
        return max(0, self.pool.sessions + self.live.joined_since(self._fleet.seen_at))

    @property
    def most_live(self) -> int:
        """Sessions that the pool's line may have when a live one joins it."""
        coming = self._fleet.coming_free(self._name, self._admission.live_wait)
        return self._admission.most_live(self.pool, coming)

    @property
    def free(self) -> int:
        """Slots that no session has, and that are held for no live client."""
        return self.pool.slots - self.sessions - self.live.count(time.monotonic())

    def figures(self, *, upload: bool) -> tuple[int, int]:
        """Returns how many have a place for something that was heard, and how many may have.

        Args:
            upload: Whether uploads that wait are counted, or sessions in line.
        """
        if not upload:
            return self.sessions, self.most_live
        elsewhere = max(0, self.pool.uploads - self._told())
        soon = self.sessions + self.live.count(time.monotonic())
        return elsewhere + self._waiting(), self._admission.most_uploads(self.pool, soon)

    def refusal(self, *, upload: bool) -> NoCapacity:
        """Returns what a client is told for which there is no place."""
        return self._admission.refusal(self.pool, upload=upload)
