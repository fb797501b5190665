"""The way of news to a client: written as frames, and sent to one who may not read them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from scripta_gateway.bounds import MAX_SEND_SECONDS, Bound
from scripta_gateway.calls.closing import BROKEN
from scripta_gateway.calls.record import CallRecord
from scripta_gateway.dialects import told
from scripta_gateway.dialects.asks import Reply
from scripta_gateway.dialects.base import Codec
from scripta_gateway.dialects.told import Told
from scripta_gateway.telemetry import metrics
from scripta_gateway.transports.base import Frame, Gone, Transport


class Outlet:
    """Tells one client what there is to tell.

    Args:
        transport: Its connection.
        codec: Writes news as frames.
        record: Where answers are counted.
        gathers: Whether the dialect's one answer holds all that was said.
    """

    def __init__(
        self, transport: Transport, codec: Codec, record: CallRecord, *, gathers: bool
    ) -> None:
        self._transport = transport
        self._codec = codec
        self._record = record
        self._gathers = gathers
        # Held while the frames of one thing are sent: they stand together.
        self._telling = asyncio.Lock()
        # Sends that are under way, and when the last one began or ended.
        self._sends = 0
        self._moved_at = 0.0

    async def tell(self, news: Told | Reply) -> bool:
        """Sends the frames of some news, together; returns whether there were any.

        Waits while the client does not read what was sent before. Cancelled meanwhile, it has sent
        some of them, or none.
        """
        async with self._telling:
            frames = await self._frames_of(news)
            for frame in frames:
                await self._send(frame)
        if frames and isinstance(news, told.Accepted | told.Noted | told.Ended):
            self._record.answered()
        return bool(frames)

    def check(self, now: float) -> None:
        """Gives a client up that has not read for too long.

        To be called now and then: a time-out for each frame would cost more than the frame.

        Raises:
            Gone: It has not.
        """
        if self._sends and now - self._moved_at >= MAX_SEND_SECONDS:
            metrics.BOUNDS_HIT[Bound.UNREAD].inc()
            raise Gone(BROKEN, "client does not read")

    async def _frames_of(self, news: Told | Reply) -> Sequence[Frame]:
        if isinstance(news, Reply):
            return news.frames
        if isinstance(news, told.Ended) and self._gathers:
            # The answer of an hour takes a tenth of a second, and others speak meanwhile.
            return await asyncio.to_thread(self._codec.write, news)
        return self._codec.write(news)

    async def _send(self, frame: Frame) -> None:
        self._sends += 1
        self._moved_at = time.monotonic()
        try:
            await self._transport.send(frame)
        finally:
            self._sends -= 1
            self._moved_at = time.monotonic()
