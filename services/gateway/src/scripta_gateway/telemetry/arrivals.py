"""When the entries of a session arrived and when the log had them: pure, no clock."""

from __future__ import annotations

from array import array


class Arrivals:
    """When entries arrived, and when the log had them; kept until they are decided.

    Args:
        before: Entries of the session that came before all of these.
    """

    def __init__(self, before: int = 0) -> None:
        self._decided = before
        # 16 bytes an entry: a session keeps hundreds.
        self._arrived = array("d")
        self._logged = array("d")

    def enter(self, last: int, arrived: float) -> None:
        """Notes that all entries up to number ``last`` that are not known yet arrived now."""
        count = last - self._decided - len(self._arrived)
        self._arrived.extend([arrived] * count)
        self._logged.extend([0.0] * count)

    def logged(self, first: int, last: int, now: float) -> None:
        """Notes that the log has some entries; of one written again, the first time counts."""
        begin = max(0, first - self._decided - 1)
        for place in range(begin, min(last - self._decided, len(self._logged))):
            if not self._logged[place]:
                self._logged[place] = now

    def forget(self, decided: int) -> None:
        """Forgets entries up to number ``decided``."""
        if (count := decided - self._decided) > 0:
            del self._arrived[:count]
            del self._logged[:count]
            self._decided = decided

    def of(self, seq: int) -> tuple[float, float] | None:
        """Returns when an entry arrived and was logged (0: not yet); ``None`` if not known."""
        place = seq - self._decided - 1
        if 0 <= place < len(self._arrived):
            return self._arrived[place], self._logged[place]
        return None
