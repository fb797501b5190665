"""What is left of a key's rights where a token asks for less. Pure.

Always holds: nothing that comes out of here is more than what the key has. An empty list of models
or of origins means all, so that one from which nothing is left is refused.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from scripta_common.errors import Forbidden
from scripta_gateway.access.caller import Caller, Quota
from scripta_gateway.access.origins import origin_allowed


def models_left(caller: Caller, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the models of those that are wanted which the caller may use.

    Args:
        caller: Who shows the key.
        wanted: Our own names of models; empty: as many as the key has.

    Raises:
        Forbidden: It is none of them.
    """
    if not wanted:
        return caller.models
    left = tuple(model for model in wanted if caller.may_use(model))
    if not left:
        raise Forbidden(f"The key is for other models: {', '.join(caller.models)}.")
    return left


def origins_left(caller: Caller, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the origins of those that are wanted whose pages may use the caller's key.

    Args:
        caller: Who shows the key.
        wanted: Origins, or entries of the key's own list; empty: as many as the key has.

    Raises:
        Forbidden: It is none of them.
    """
    if not wanted or not caller.origins:
        return wanted or caller.origins
    left = tuple(
        entry
        for entry in wanted
        if entry in caller.origins or origin_allowed(entry, caller.origins)
    )
    if not left:
        raise Forbidden(f"The key is for pages of other origins: {', '.join(caller.origins)}.")
    return left


def quota_left(one: Quota, other: Quota) -> Quota:
    """Returns the smaller of each two limits."""
    limits: dict[str, Any] = asdict(one)
    for name, most in limits.items():
        limits[name] = _smaller(most, getattr(other, name))
    return Quota(**limits)


def _smaller(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
