"""What frames come from."""

from __future__ import annotations

from typing import Protocol

from scripta_client.top.samples import Frame


class Source(Protocol):
    """Where the metrics of all processes are to be had.

    Attributes:
        history: Whether frames of the past are to be had as well.
    """

    history: bool

    async def frame(self, ago: float = 0.0) -> Frame:
        """Returns all processes as they are, or were some seconds ago.

        Raises:
            NoMetrics: If it can not be asked.
        """
        ...
