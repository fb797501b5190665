"""Farewells: how a transcriber lets go of a session, whatever the broker says to it.

What can not be said now says itself: the lease expires, or the gateway finds nobody at work.
"""

from __future__ import annotations

import logging

from redis.exceptions import ResponseError

from scripta_common.errors import BrokerUnavailable
from scripta_common.sessionlog import Claim, TranscriberLog
from scripta_transcriber.leases import Farewell

logger = logging.getLogger(__name__)


async def bid(farewell: Farewell, log: TranscriberLog, claim: Claim) -> None:
    """Does with a lease what is decided about it."""
    try:
        match farewell:
            case Farewell.DROP:
                await log.drop(claim.entry_id)
            case Farewell.HAND_OFF:
                await log.hand_off(claim)
                logger.info("session handed off")
            case Farewell.RELEASE:
                await log.release(claim)
    except (BrokerUnavailable, ResponseError):
        logger.warning("lease not given up; it will expire", extra={"farewell": farewell})
