"""How a call ends before its client ends it: its gateway goes, or its caller is over a limit.

A client that can not take its session up elsewhere begins anew at another gateway. What it was
saying is cut in two then, and what it sends while the last words are transcribed is lost. So the
cut is made where nobody speaks, if that comes soon.

Who is over a limit is cut at once, and gets the transcript of all that was accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from scripta_common.errors import Draining, OverLimit, ScriptaError
from scripta_common.wire import Interim
from scripta_gateway.bounds import (
    OVER_LIMIT_SECONDS,
    PAUSE_SECONDS,
    UTTERANCE_SECONDS,
)
from scripta_gateway.dialects.base import Policy


class Leaving:
    """One call's end that its client has not asked for.

    Args:
        policy: What its dialect leaves to the call.
        end: Ends the stream at what has arrived, if its client has not ended it meanwhile.
        last_words: Seconds for the last words of a call whose gateway goes.

    Attributes:
        farewell: Why the call ends; ``None`` while it goes on.
        until: When the call ends at the latest, on the clock of the event loop.
    """

    def __init__(
        self, policy: Policy, end: Callable[[ScriptaError], Awaitable[None]], last_words: float
    ) -> None:
        self._policy = policy
        self._last_words = last_words
        self._end = end
        self.farewell: ScriptaError | None = None
        self.until: float | None = None
        self._begun = asyncio.Event()
        # Channels with an interim that no final has come for.
        self._speaking: set[int] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()

    def guessed(self, channel: int, interim: Interim) -> None:
        """Records that somebody speaks on a channel."""
        if interim.text:
            self._speaking.add(channel)
            self._quiet.clear()

    def decided(self, channel: int) -> None:
        """Records a final: somebody has paused, or has spoken for long."""
        self._speaking.discard(channel)
        if not self._speaking:
            self._quiet.set()

    def begin(self, farewell: Draining | OverLimit) -> None:
        """Records why the call ends; of each channel's news the first counts.

        Raises:
            Draining: The farewell, for a client that is sent away at once.
        """
        over_limit = isinstance(farewell, OverLimit)
        if not over_limit and not self._policy.last_words:
            raise farewell
        if self.farewell is None:
            seconds = OVER_LIMIT_SECONDS if over_limit else self._last_words
            self.farewell = farewell
            self.until = asyncio.get_running_loop().time() + seconds
            self._begun.set()

    async def run(self) -> None:
        """Ends the stream: over a limit at once, otherwise when nobody speaks or some time is over.

        A client whose call is one utterance is given the time to end it. Cancelled, the call is
        over already.
        """
        await self._begun.wait()
        assert self.farewell is not None  # it has begun
        if isinstance(self.farewell, OverLimit):
            pass
        elif self._policy.utterance:
            await asyncio.sleep(UTTERANCE_SECONDS)
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_SECONDS):
                    await self._quiet.wait()
        await self._end(self.farewell)
