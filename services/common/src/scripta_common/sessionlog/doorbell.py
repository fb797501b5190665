"""The doorbell: one pub/sub subscription a process, fanned out by session.

What rings may be lost (nobody listened, the connection broke), so whoever relies on it also
reads the record; after every new subscription ``on_join`` says that something may be missing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from redis.exceptions import ConnectionError as BrokerConnectionError
from redis.exceptions import RedisError

from scripta_common.broker import Broker
from scripta_common.errors import BrokerUnavailable

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 0.2
_LISTEN_SECONDS: Final = 5.0


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
            pinged = False
            while True:
                message = await pubsub.get_message(timeout=_LISTEN_SECONDS)
                if message is not None:
                    pinged = False
                    if message["type"] == "message":
                        self._on_ring(message["data"])
                elif pinged:
                    raise BrokerConnectionError("no answer to a ping")
                else:
                    # Nothing for a while: a ping tells a quiet channel from a dead connection.
                    await pubsub.ping()
                    pinged = True
