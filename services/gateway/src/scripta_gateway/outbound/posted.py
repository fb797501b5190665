"""A call whose results go to a URL, as a transport: frames come from its client and go there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from scripta_gateway.dialects.asks import Callback
from scripta_gateway.outbound.posting import Poster, Posts
from scripta_gateway.transports.base import Close, Frame, Transport
from scripta_gateway.transports.events import Oversized


@contextmanager
def results_to(
    callback: Callback | None, transport: Transport, poster: Poster
) -> Iterator[Transport]:
    """Yields the transport of a call: the client's, or one that sends its results elsewhere.

    Args:
        callback: Where results go, if not to the client.
        transport: The client's connection.
        poster: Sends them.
    """
    if callback is None:
        yield transport
        return
    posts = poster.open(callback)
    try:
        yield PostedResults(transport, posts, callback.receipt)
    finally:
        posts.end()


class PostedResults:
    """Sends what the client would be sent to a URL.

    Args:
        transport: The client's connection.
        posts: Where results go.
        receipt: What a request is answered once all that it brings has come; ``None`` where the
            client stays and is told of the end by a close.
    """

    def __init__(self, transport: Transport, posts: Posts, receipt: Frame | None) -> None:
        self._transport = transport
        self._posts = posts
        self._receipt = receipt
        # Whether the request is complete, and whether it has been answered.
        self._complete = self._answered = False

    async def receive(self) -> Frame | Oversized | None:
        """Returns the client's next frame; as ``Transport.receive``.

        A request is answered when its end has been dealt with: until then it can be refused.
        Behind that nothing comes any more, whether or not its client stays.
        """
        if self._complete:
            await self._answer()
            await asyncio.Event().wait()
        frame = await self._transport.receive()
        self._complete = frame is None and self._receipt is not None
        return frame

    async def send(self, frame: Frame) -> None:
        """Puts a frame in line for the URL; waits while too many are."""
        await self._posts.put(frame.encode() if isinstance(frame, str) else frame)

    async def close(self, close: Close) -> None:
        """Ends what is sent, and tells a client that is still there."""
        if self._receipt is None:
            self._posts.end()
            await self._transport.close(close)
            return
        if close.refusal is None:
            await self._answer()
        elif self._answered:
            await self.send(close.refusal.body)
        else:
            self._answered = True
            await self._transport.close(close)
        self._posts.end()

    async def _answer(self) -> None:
        if not self._answered and self._receipt is not None:
            self._answered = True
            await self._transport.send(self._receipt)
            await self._transport.close(Close(1000))
