"""How a connection ends: what its close code means, and what a failed session is to its client."""

from __future__ import annotations

from typing import Final

from scripta_common.errors import ScriptaError, by_code
from scripta_common.wire import Failed

BROKEN: Final = 1006
"""Close code of a connection that ended without a closing frame."""

_FOR_GOOD: Final = frozenset({1000, 1001, 1008})


def is_for_good(code: int) -> bool:
    """Returns whether nobody comes back: the client is done, left, was idle, or was refused."""
    return code in _FOR_GOOD


def failure(result: Failed) -> ScriptaError:
    """Returns the error by which a session's client hears that it has failed."""
    return by_code(result.code)(result.message)
