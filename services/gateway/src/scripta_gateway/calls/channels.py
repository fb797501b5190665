"""The channels of one call: one voice each, with a session of its own.

Always true: what is asked of the call is asked of each of its channels, and the answers to its
messages stand in the queue of the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from scripta_common.wire import Reason
from scripta_gateway.calls.idle_clock import IdleClock
from scripta_gateway.calls.inflow import Inflow
from scripta_gateway.dialects.asks import Reply
from scripta_gateway.dialects.told import Told
from scripta_gateway.sessions.session import Session

Answer = Told | Reply
"""What answers a client's message."""


class Channel:
    """One channel.

    Args:
        index: Its number, from 0.
        session: Its session.
        inflow: Takes what is entered and what is answered.

    Attributes:
        over: Set when its last result has been delivered.
    """

    def __init__(self, index: int, session: Session, inflow: Inflow[Answer]) -> None:
        self.index = index
        self.session = session
        self.inflow = inflow
        self.over = asyncio.Event()


class Channels:
    """All channels of a call.

    Args:
        first: Session of the first one.
        tell: Tells the client an answer.
        clock: Follows the client's messages.
    """

    def __init__(
        self, first: Session, tell: Callable[[Answer], Awaitable[object]], clock: IdleClock
    ) -> None:
        self._tell = tell
        self._clock = clock
        self.first = Channel(0, first, Inflow(first, tell, clock))
        self._all = [self.first]

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._all)

    def add(self, session: Session) -> Channel:
        """Adds and returns a channel; what has been entered before, it lacks."""
        channel = Channel(len(self._all), session, Inflow(session, self._tell))
        self._all.append(channel)
        return channel

    def renew(self, session: Session) -> Channel:
        """Goes on with another session on one channel; those before are over."""
        self.first = Channel(0, session, Inflow(session, self._tell, self._clock))
        self._all = [self.first]
        return self.first

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._all)

    @property
    def ending(self) -> bool:
        """Whether the stream has ended."""
        return self.first.session.ending

    @property
    def unwritten(self) -> bool:
        """Whether the log of any lacks something that was entered."""
        return any(channel.session.unwritten for channel in self._all)

    @property
    def outstanding(self) -> bool:
        """Whether any is still owed results."""
        return any(channel.session.outstanding for channel in self._all)

    @property
    def over(self) -> bool:
        """Whether the last result of each has been delivered."""
        return all(channel.over.is_set() for channel in self._all)

    @property
    def seconds(self) -> float:
        """Seconds of audio accepted, of the longest."""
        return max(channel.session.seconds for channel in self._all)

    def enter(
        self,
        parts: Sequence[bytes],
        message_bytes: int,
        *,
        at_rest: bool,
        more: bool,
        arrived: float,
        ends_file: bool,
    ) -> None:
        """Enters audio, a part for each channel; otherwise as ``Inflow.enter``."""
        for channel, pcm in zip(self._all, parts, strict=True):
            channel.inflow.enter(
                pcm,
                message_bytes,
                at_rest=at_rest,
                more=more,
                arrived=arrived,
                ends_file=ends_file,
            )

    def finalize(self, reason: Reason, index: int | None = None) -> None:
        """Enters a boundary into one channel, or into each; exactly one final of each follows."""
        for channel in self._all:
            if index is None or channel.index == index:
                channel.inflow.finalize(reason)

    def pause(self) -> None:
        """Enters that the client paused; as ``Inflow.pause``."""
        for channel in self._all:
            channel.inflow.pause()

    def clear(self) -> None:
        """Drops what is accepted and not decided."""
        for channel in self._all:
            channel.inflow.clear()

    def end(self) -> None:
        """Enters the end of the stream."""
        for channel in self._all:
            channel.inflow.end()

    async def wait_for_room(self) -> None:
        """Waits while any is too far ahead of its log, or the client does not read answers."""
        for channel in self._all:
            await channel.inflow.wait_for_room()
