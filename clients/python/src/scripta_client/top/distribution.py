"""A histogram of what was observed in some time: its quantiles, mean and shares."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Distribution:
    """Observations in buckets.

    Attributes:
        buckets: Upper bounds in ascending order, the last of them infinite, each with how many
            observations were at most that; none if nothing is known.
        sum: Sum of the observations.
    """

    buckets: tuple[tuple[float, float], ...]
    sum: float

    @property
    def known(self) -> bool:
        """Whether anything is exported at all."""
        return bool(self.buckets)

    @property
    def count(self) -> float:
        """How many observations there are."""
        return self.buckets[-1][1] if self.buckets else 0.0

    @property
    def ceiling(self) -> float | None:
        """The last finite bound: what is longer is only known to be longer."""
        return max((bound for bound, _ in self.buckets if math.isfinite(bound)), default=None)

    @property
    def mean(self) -> float | None:
        """Their mean; ``None`` without any."""
        return self.sum / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """Returns the value that this share of the observations does not exceed.

        It is interpolated within its bucket, and never beyond ``ceiling``. ``None`` without
        observations.

        Args:
            share: From 0 to 1.
        """
        if not self.count:
            return None
        rank = share * self.count
        low, below = 0.0, 0.0
        for bound, upto in self.buckets:
            if upto >= rank and upto > below:
                if math.isinf(bound):
                    return low
                return low + (bound - low) * (rank - below) / (upto - below)
            low, below = bound, max(below, upto)
        return low

    def share_within(self, bound: float) -> float | None:
        """Returns which share is at most ``bound``; ``None`` if that is no bucket's, or empty."""
        return next(
            (upto / self.count for other, upto in self.buckets if other == bound and self.count),
            None,
        )
