"""How a connection ends: what its close code means, and what a failed session is to its client."""

from __future__ import annotations

from typing import Final

from starlette.types import Message

from scripta_common.errors import ScriptaError, by_code
from scripta_common.wire import Failed

BROKEN: Final = 1006
"""Close code of a connection that ended without a closing frame."""

_NO_CODE: Final = 1005
_FOR_GOOD: Final = frozenset({1000, 1001, 1008})


def is_for_good(code: int) -> bool:
    """Returns whether nobody comes back: the client is done, left, was idle, or was refused."""
    return code in _FOR_GOOD


def close_code(message: Message) -> int:
    """Returns the close code of a ``websocket.disconnect``."""
    code = int(message.get("code") or _NO_CODE)
    # uvicorn gives this one to a connection that broke, too; a closing frame has a reason, if only
    # an empty one.
    return BROKEN if code == _NO_CODE and "reason" not in message else code


def failure(result: Failed) -> ScriptaError:
    """Returns the error by which a session's client hears that it has failed."""
    return by_code(result.code)(result.message)
