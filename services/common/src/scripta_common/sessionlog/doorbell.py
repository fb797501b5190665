"""The doorbell: one pub/sub subscription a process, fanned out by session.

What rings may be lost (nobody listened, the connection broke), so whoever relies on it also
reads the record; after every new subscription ``on_join`` says that something may be missing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from scripta_common.broker import Broker
from scripta_common.errors import BrokerUnavailable

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 0.2
_LISTEN_SECONDS: Final = 2.0
_DEAD_SECONDS: Final = 2.5 * _LISTEN_SECONDS
"""Silence after which a connection is taken for dead: a ping has had no answer."""


class Doorbell:
    """Listens on one channel until it is cancelled.

    Args:
        broker: Connection to the broker.
        channel: Channel to listen on.
        on_ring: Called with every message; must not block.
        on_join: Called after every (re)subscription, when rings may have been missed.
    """

    def __init__(
        self,
        broker: Broker,
        channel: str,
        *,
        on_ring: Callable[[bytes], None],
        on_join: Callable[[], None],
    ) -> None:
        self._broker = broker
        self._channel = channel
        self._on_ring = on_ring
        self._on_join = on_join
        self._joined = asyncio.Event()
        self._heard = False

    async def wait_joined(self) -> None:
        """Waits until the subscription stands."""
        await self._joined.wait()

    async def run(self) -> None:
        """Listens; subscribes again whenever the connection is lost."""
        while True:
            try:
                await self._listen()
            except (BrokerUnavailable, RedisError, OSError, TimeoutError) as error:
                if self._joined.is_set():
                    logger.warning("doorbell lost", extra={"error": type(error).__name__})
                self._joined.clear()
                await asyncio.sleep(_RETRY_SECONDS)

    async def _listen(self) -> None:
        async with await self._broker.subscribe(self._channel) as pubsub:
            # Subscribing answers only with a message; it is waited for, so that what is
            # published from here on is heard.
            async with asyncio.timeout(_LISTEN_SECONDS):
                while (await pubsub.get_message(timeout=_LISTEN_SECONDS)) is None:
                    pass
            self._joined.set()
            self._on_join()
            # One deadline that is put off now and then: a time-out for each message would cost
            # more than the message.
            async with asyncio.timeout(_DEAD_SECONDS) as deadline:
                watching = asyncio.create_task(self._watch(pubsub, deadline), name="doorbell-watch")
                try:
                    await self._hear(pubsub)
                finally:
                    watching.cancel()

    async def _hear(self, pubsub: PubSub) -> None:
        while True:
            message = await pubsub.get_message(timeout=None)
            self._heard = True
            if message is not None and message["type"] == "message":
                self._on_ring(message["data"])

    async def _watch(self, pubsub: PubSub, deadline: asyncio.Timeout) -> None:
        """Puts the deadline off as long as anything is heard."""
        while True:
            await asyncio.sleep(_LISTEN_SECONDS)
            if self._heard:
                self._heard = False
                deadline.reschedule(asyncio.get_running_loop().time() + _DEAD_SECONDS)
            else:
                # Nothing for a while: a ping tells a quiet channel from a dead connection.
                with suppress(RedisError, OSError):  # who listens will see it, too
                    await pubsub.ping()
