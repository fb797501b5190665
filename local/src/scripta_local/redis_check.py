"""Looks whether the broker at ``REDIS_URL`` answers, before anything is started on it."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError

from scripta_common.settings import mask_password
from scripta_local.errors import BrokerError

CHECK_SECONDS = 3.0
_FIX = "Start it or correct REDIS_URL; without REDIS_URL an embedded broker is started."


async def check_redis(url: str) -> None:
    """Raises ``BrokerError`` unless the broker answers; no error ever shows a password."""
    try:
        client = Redis.from_url(
            url,
            protocol=3,
            legacy_responses=False,
            socket_timeout=CHECK_SECONDS,
            socket_connect_timeout=CHECK_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        # What the parser says may quote a part of the password.
        raise BrokerError(
            "REDIS_URL is not a broker's address.",
            fix="It looks like redis://[user:password@]host:6379/0 (special characters of a "
            "password as %XX).",
        ) from None
    try:
        async with client:
            await client.ping()
    except AuthenticationError:
        raise BrokerError(
            f"The broker at {mask_password(url)} refuses user or password.",
            fix="Correct them in REDIS_URL (special characters as %XX).",
        ) from None
    except (RedisError, OSError) as error:
        raise BrokerError(
            f"The broker at {mask_password(url)} does not answer ({type(error).__name__}).",
            fix=_FIX,
        ) from None
