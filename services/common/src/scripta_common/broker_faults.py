"""What the errors of the broker's client mean: whether they pass, and what to count them as."""

from __future__ import annotations

from typing import Any, Final

from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    ClusterError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as BrokerConnectionError
from redis.exceptions import TimeoutError as BrokerTimeoutError

from scripta_common.errors import BrokerUnavailable
from scripta_common.metrics import BrokerFault

_TRANSIENT: Final = (
    AskError,  # and MOVED: nobody has the slot for long enough to be found
    BrokerConnectionError,
    BrokerTimeoutError,
    BusyLoadingError,
    ClusterDownError,
    ClusterError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    TryAgainError,
)

_TRANSIENT_WORDS: Final = ("MISCONF", "NOREPLICAS", "UNBLOCKED", "BUSY ", "DENIED")
"""How answers begin by which a server says that it can not write now, or not here; DENIED is its
protected mode, which whoever runs it will end."""

_FAULTS: Final[tuple[tuple[tuple[type[Exception], ...], BrokerFault], ...]] = (
    ((BusyLoadingError,), BrokerFault.LOADING),  # a connection error, too
    ((BrokerTimeoutError, TimeoutError), BrokerFault.TIMEOUT),
    ((OutOfMemoryError,), BrokerFault.MEMORY),
    ((ReadOnlyError,), BrokerFault.READONLY),
    ((BrokerConnectionError,), BrokerFault.CONNECTION),
)


def is_transient(answer: Any) -> bool:
    """Returns whether an answer is an error that passes: the call may be made again."""
    if isinstance(answer, _TRANSIENT):
        return True
    return isinstance(answer, ResponseError) and str(answer).startswith(_TRANSIENT_WORDS)


def fault_of(error: BaseException) -> BrokerFault | None:
    """Returns what to count an error as; ``None`` for one that is part of normal work."""
    if isinstance(error, NoScriptError) or str(error).startswith("BUSYGROUP"):
        return None
    return next((fault for kinds, fault in _FAULTS if isinstance(error, kinds)), BrokerFault.OTHER)


def describe(error: BaseException) -> str:
    """Returns an error's message, fit for a log and for nobody else.

    Messages of connection errors may quote the address, never the password. What Sentinels were
    asked comes behind a colon, with all their options, and is left out.
    """
    if isinstance(error, BrokerUnavailable) and error.__cause__ is not None:
        error = error.__cause__
    return str(error).partition(" : <")[0] or type(error).__name__
