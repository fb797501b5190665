"""The largest recording that a caller may post."""

from __future__ import annotations

from starlette.types import Message, Receive

from scripta_gateway.access.caller import Caller
from scripta_gateway.bounds import Bound
from scripta_gateway.calls.refusal import TooLarge
from scripta_gateway.quotas.limits import Limit
from scripta_gateway.quotas.over import note
from scripta_gateway.telemetry import metrics


def largest_upload(caller: Caller) -> int | None:
    """Returns the bytes that a caller's recording may have; ``None``: no limit of its own."""
    said = [
        each for each in (caller.own.upload_bytes, caller.shared.upload_bytes) if each is not None
    ]
    return min(said, default=None)


def bounded(receive: Receive, caller: Caller, length: str | None) -> Receive:
    """Returns what receives a request whose body may be as large as its caller's may.

    A body of unknown length is counted while it comes: ``TooLarge`` is raised then.

    Args:
        receive: Returns the next ASGI message.
        caller: Who calls.
        length: What the request says of its length; ``None``: nothing.

    Raises:
        TooLarge: The request says that it is larger.
    """
    most = largest_upload(caller)
    if most is None:
        return receive
    if length is not None and int(length) > most:
        raise _too_large(most, caller)
    size = 0

    async def receive_bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise _too_large(most, caller)
        return message

    return receive_bounded


def _too_large(most: int, caller: Caller) -> TooLarge:
    note(Limit.UPLOAD_BYTES, caller)
    metrics.BOUNDS_HIT[Bound.BODY_BYTES].inc()
    return TooLarge(
        f"The limit upload_bytes of this key is {most} bytes; send a shorter recording."
    )
