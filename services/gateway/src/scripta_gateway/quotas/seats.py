"""Seats: what each session that counts for a caller's limits has. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from scripta_common.errors import OverLimit
from scripta_gateway.access.caller import Caller, Quota

_RETRY_SECONDS: Final = 5
"""When a caller with all its sessions under way may try again: nobody knows when one ends."""
_MINUTE_MS: Final = 60_000


class Limit(StrEnum):
    """A limit of a tenant or a key, as a key file calls it; the value is the metric's label."""

    SESSIONS = "sessions"
    SESSIONS_A_MINUTE = "sessions_a_minute"
    AUDIO_SECONDS_A_DAY = "audio_seconds_a_day"
    UPLOAD_BYTES = "upload_bytes"
    SHARE = "share"


_SAID: Final = {
    Limit.SESSIONS: "sessions at a time; end one, or try again later",
    Limit.SESSIONS_A_MINUTE: "new sessions a minute; try again later",
    Limit.AUDIO_SECONDS_A_DAY: "seconds of audio a day (UTC); try again tomorrow",
    Limit.SHARE: "of the slots while others wait; try again in some seconds",
}


@dataclass(slots=True, eq=False)
class Seat:
    """The seat of one session, for as long as it counts.

    Attributes:
        name: Id of the session that it was given to; a session that follows it keeps the name.
        caller: For whom it counts.
        new: Whether it was given with the session, which counts as one of its minute.
        spent: Whether its session is told already that the day's audio is used up.
    """

    name: str
    caller: Caller
    new: bool = True
    spent: bool = False


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


def is_counted(caller: Caller) -> bool:
    """Returns whether a caller has a limit that sessions are counted for."""
    return any(
        quota.sessions is not None
        or quota.sessions_a_minute is not None
        or quota.audio_seconds_a_day is not None
        for quota in (caller.shared, caller.own)
    )


def interval_ms(quota: Quota) -> float:
    """Returns what part of a minute one new session takes, in ms; 0 without such a limit."""
    return _MINUTE_MS / quota.sessions_a_minute if quota.sessions_a_minute else 0.0


def over(refused: Refused, caller: Caller) -> OverLimit:
    """Returns what a caller is told that is over a limit."""
    quota = caller.shared if refused.shared else caller.own
    value: float = getattr(quota, refused.limit)
    whose = "tenant" if refused.shared else "key"
    return OverLimit(
        f"The limit {refused.limit} of this {whose} is {value:.15g} {_SAID[refused.limit]}.",
        retry_after=math.ceil(refused.wait_ms / 1000) or _RETRY_SECONDS,
    )
