"""Looks whether the broker at ``REDIS_URL`` answers, before anything is started on it."""

from __future__ import annotations

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisClusterException, RedisError

from scripta_common import keys
from scripta_common.settings import mask_password
from scripta_common.topology import BadBrokerUrl, Topology
from scripta_local.errors import BrokerError

CHECK_SECONDS = 3.0
_FIX = "Start it or correct REDIS_URL; without REDIS_URL an embedded broker is started."


async def check_redis(url: str) -> None:
    """Raises ``BrokerError`` unless the broker answers; no error ever shows a password."""
    try:
        topology = Topology.parse(url)
    except BadBrokerUrl as error:
        raise BrokerError(
            "REDIS_URL is not a broker's address.", detail=(str(error),), fix=_FIX
        ) from None
    client = topology.connect(
        protocol=3,
        legacy_responses=False,
        socket_timeout=CHECK_SECONDS,
        socket_connect_timeout=CHECK_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        await client.execute_command("EXISTS", keys.ASSIGN)
    except (RedisError, RedisClusterException, OSError) as error:
        # A Cluster's client says that it found no server, because of this.
        if isinstance(error, AuthenticationError) or isinstance(
            error.__cause__, AuthenticationError
        ):
            raise BrokerError(
                f"The broker at {mask_password(url)} refuses user or password.",
                fix="Correct them in REDIS_URL (special characters as %XX).",
            ) from None
        raise BrokerError(
            f"The broker at {mask_password(url)} does not answer ({type(error).__name__}).",
            fix=_FIX,
        ) from None
    finally:
        await client.aclose()
