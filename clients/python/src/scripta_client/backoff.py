"""When a broken connection is tried again, and when it is given up: pure but for chance.

Exponential back-off with full jitter, so that clients which lost the same gateway do not come
back at the same moment.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from scripta_client.errors import (
    CannotConnect,
    ConnectionLost,
    Refused,
    ScriptaError,
    SessionFailed,
)

DEFAULT_WINDOW_SECONDS = 30.0
"""How long to try where the server does not say how long it waits."""

FINAL_CLOSES = frozenset({1000, 1002, 1003, 1007, 1008, 1009, 1010})
"""Close codes that a new connection would meet again: done, or our own fault."""

PASSING_FAILURES = frozenset({"draining", "no_capacity", "broker_unavailable", "internal"})
"""Failures of a session that another gateway, or some time, may mend."""

LOSING_FAILURES = frozenset({"session_lost", "model_gone"})
"""Failures that end a session, and not the stream: a new session may go on with it."""

_PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_STABLE_SECONDS = 10.0
"""A connection that lived for so long was a good one, even if nothing was said on it."""


def may_pass(error: ScriptaError) -> bool:
    """Returns whether trying again can help."""
    match error:
        case ConnectionLost():
            return error.code not in FINAL_CLOSES
        case SessionFailed():
            return error.code in PASSING_FAILURES | LOSING_FAILURES
        case Refused():
            return error.status in _PASSING_STATUSES
    return isinstance(error, CannotConnect)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before each try, in seconds.

    Attributes:
        first: Bound of the first wait; doubled with each further one.
        longest: Never more than this.
        prompt: Bound of the first wait after the server has asked to connect again.
        jitter: Returns a number between 0 and 1; a wait is so much of its bound.
    """

    first: float = 0.5
    longest: float = 5.0
    prompt: float = 0.1
    jitter: Callable[[], float] = random.random

    def delay(self, attempt: int, *, prompt: bool = False) -> float:
        """Returns the wait before try number ``attempt``, counted from 1."""
        if prompt and attempt == 1:
            return self.prompt * self.jitter()
        # The exponent is bounded: a float overflows long before patience does.
        return min(self.longest, self.first * 2.0 ** min(attempt - 1, 30)) * self.jitter()


class Outage:
    """The time since which nothing has come of any connection.

    Args:
        backoff: The waits.
        now: When the connection broke.
        mark: How far the session was then; a later break at the same mark is the same outage.

    Attributes:
        began: When the connection broke.
        attempt: Number of the last try.
    """

    def __init__(self, backoff: Backoff, now: float, mark: object) -> None:
        self.began = now
        self.attempt = 0
        self._backoff = backoff
        self._mark = mark
        self._connected_at: float | None = None

    def connected(self, now: float) -> None:
        """Notes that a try succeeded."""
        self._connected_at = now

    def goes_on(self, now: float, mark: object) -> bool:
        """Returns whether a break at ``now`` still belongs to it: nothing was achieved since."""
        if self._connected_at is None or self._mark != mark:
            return False
        return now - self._connected_at < _STABLE_SECONDS

    def next_delay(
        self, now: float, patience: float, *, prompt: bool = False, retry_after: float | None = None
    ) -> float | None:
        """Returns the wait before the next try, or ``None`` to give up.

        Args:
            now: The time.
            patience: Seconds after which to give up; there is always one try.
            prompt: Whether the server has asked to connect again.
            retry_after: Least wait that the server asked for.
        """
        self.attempt += 1
        delay = self._backoff.delay(self.attempt, prompt=prompt)
        left = self.began + patience - now
        if self.attempt == 1:
            return delay
        if left <= 0 or (retry_after or 0.0) > left:
            return None
        return min(left, max(delay, retry_after or 0.0))
