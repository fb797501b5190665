"""How much of something a client may do in a time: a token bucket. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Allowance:
    """An allowance that fills up as time goes by.

    Attributes:
        rate: What is added each second.
        burst: The most there can be; there is as much at the start.
        at: Time of the last spending.
    """

    rate: float
    burst: float
    at: float
    _left: float = field(init=False)

    def __post_init__(self) -> None:
        self._left = self.burst

    def spend(self, cost: float, now: float) -> float:
        """Spends some, also more than there is; returns the seconds until nothing is owed."""
        self._left = min(self.burst, self._left + (now - self.at) * self.rate) - cost
        self.at = now
        return max(0.0, -self._left / self.rate)
