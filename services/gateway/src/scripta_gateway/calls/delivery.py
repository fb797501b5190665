"""The way of results to a call's client, also while the gateway goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from scripta_common.errors import AnswerTooLong, Draining, OverLimit
from scripta_common.wire import Ended, Failed, Final, Interim, Recorded, Speech
from scripta_gateway.bounds import Bound
from scripta_gateway.calls import closing
from scripta_gateway.calls.channels import Channel
from scripta_gateway.calls.leaving import Leaving
from scripta_gateway.calls.record import CallRecord
from scripta_gateway.dialects import told
from scripta_gateway.dialects.told import Told
from scripta_gateway.telemetry import metrics


class Delivery:
    """Delivers the results of one call.

    Args:
        tell: Tells the client something; returns whether the client heard of it.
        record: Where results are counted.
        most_words: Words of finals that may be told; ``None``: any number.
        leaving: How the call ends if its client does not end it.
    """

    def __init__(
        self,
        tell: Callable[[Told], Awaitable[bool]],
        record: CallRecord,
        most_words: int | None,
        leaving: Leaving,
    ) -> None:
        self._tell = tell
        self._record = record
        self._most_words = most_words
        self._words = 0
        self._leaving = leaving

    async def run(self, channel: Channel) -> None:
        """Delivers the results of a channel up to its last one.

        Cancelled while it sends, the result is sent again if the client comes back for it.

        Raises:
            ScriptaError: The session has failed, this gateway goes away, or the caller is over a
                limit.
        """
        while True:
            for result in await self._next_results(channel):
                match result:
                    case Ended():
                        await channel.inflow.finish()
                        channel.over.set()
                        return
                    case Failed():
                        raise closing.failure(result)
                    case Speech():
                        await self._tell(told.Heard(channel.index, result))
                    case Interim():
                        self._leaving.guessed(channel.index, result)
                        if await self._tell(told.Guess(channel.index, result)):
                            self._record.interim(channel.session, result)
                    case Final():
                        self._leaving.decided(channel.index)
                        await self._deliver_final(channel, result)

    async def _deliver_final(self, channel: Channel, result: Final) -> None:
        self._count_words(result)
        delivery = channel.session.begin_delivery(result)
        at_once = await self._tell(told.Decided(channel.index, result))
        if at_once:
            delivery.end()
        self._record.final(channel.session, result, at_once=at_once)

    def _count_words(self, final: Final) -> None:
        self._words += len(final.words) or len(final.text.split())
        if self._most_words is not None and self._words > self._most_words:
            metrics.BOUNDS_HIT[Bound.ANSWER_WORDS].inc()
            raise AnswerTooLong(
                f"The recording has more than {self._most_words} words, which is too much for one "
                "answer; send it in parts"
            )

    async def _next_results(self, channel: Channel) -> Sequence[Recorded | Interim | Speech]:
        try:
            async with asyncio.timeout_at(self._leaving.until):
                return await channel.session.next_results()
        except TimeoutError:
            assert self._leaving.farewell is not None  # it has set the time
            raise self._leaving.farewell from None
        except (Draining, OverLimit) as farewell:
            self._leaving.begin(farewell)
            channel.session.go_on()
            return ()
