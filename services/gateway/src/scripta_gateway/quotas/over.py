"""What a caller hears that is over a limit, and what is counted and logged of it."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Final

from scripta_common.errors import OverLimit
from scripta_gateway.access.caller import Caller
from scripta_gateway.quotas.limits import Limit
from scripta_gateway.telemetry import metrics

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 5
"""When a caller with all its sessions under way may try again: nobody knows when one ends."""
_SAID: Final = {
    Limit.SESSIONS: "sessions at a time; end one, or try again later",
    Limit.SESSIONS_A_MINUTE: "new sessions a minute; try again later",
    Limit.AUDIO_SECONDS_A_DAY: "seconds of audio a day (UTC); try again tomorrow",
    Limit.SHARE: "of the slots while others wait; try again in some seconds",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a caller gets no more.

    Attributes:
        limit: The limit.
        shared: Whether it is the limit of the tenant, and not the key's own.
        wait_ms: When it may be worth to try again; 0: nobody knows.
    """

    limit: Limit
    shared: bool
    wait_ms: float = 0


def counted(refused: Refused, caller: Caller) -> OverLimit:
    """Returns what a caller is told that is over a limit; counts and logs it."""
    note(refused.limit, caller)
    quota = caller.shared if refused.shared else caller.own
    value: float = getattr(quota, refused.limit)
    whose = "tenant" if refused.shared else "key"
    return OverLimit(
        f"The limit {refused.limit} of this {whose} is {value:.15g} {_SAID[refused.limit]}.",
        retry_after=math.ceil(refused.wait_ms / 1000) or _RETRY_SECONDS,
    )


def note(limit: Limit, caller: Caller) -> None:
    """Counts and logs that a caller is over a limit."""
    metrics.OVER_LIMIT[limit].inc()
    extra = {"limit": limit.value, "key": caller.key, "tenant": caller.tenant}
    logger.info("caller over a limit", extra=extra)
