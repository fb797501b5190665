"""A recording that is fetched in place of the frames that a client would send."""

from __future__ import annotations

import asyncio

from scripta_gateway.outbound.fetching import Recording
from scripta_gateway.transports.base import Frame, Gone, Transport
from scripta_gateway.transports.events import Oversized

_BROKEN = 1006


class FetchedFrames:
    """Receives a recording's pieces, as long as the client that asked for it stays.

    Args:
        recording: The recording.
        transport: The client's; all that it had to say has been received.
    """

    def __init__(self, recording: Recording, transport: Transport) -> None:
        self._recording = recording
        self._leaving = asyncio.create_task(transport.receive(), name="leaving")
        self._reading: asyncio.Task[bytes | None] | None = None
        self._complete = False

    async def receive(self) -> Frame | Oversized | None:
        """Returns the next piece, and ``None`` at the end; as ``Transport.receive``.

        Raises:
            CannotFetch: As ``Recording.read``.
        """
        if self._reading is None and not self._complete:
            self._reading = asyncio.create_task(self._recording.read(), name="fetch")
        # Behind the end nothing comes any more until the client leaves. Cancelled, a piece that is
        # under way is kept for the next time.
        waited = (self._leaving,) if self._reading is None else (self._leaving, self._reading)
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if self._leaving.done() or self._reading is None:
            self._leaving.result()
            raise Gone(_BROKEN)
        piece, self._reading = self._reading.result(), None
        self._complete = piece is None
        return piece

    async def close(self) -> None:
        """Ends the fetch."""
        tasks = [task for task in (self._reading, self._leaving) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._recording.close()
