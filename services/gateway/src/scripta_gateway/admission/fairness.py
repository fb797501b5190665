"""Fairness: whose turn it is when several tenants want the slots of one pool. Pure.

The tenant that has the fewest sessions is next, whatever number of its clients wait. Of those with
equally many it is the one whose last slot is the longest ago, then the one that waits for longest.
What all gateways say of their tenants is added up, so that all come to the same answer. All callers
without a key are one tenant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from scripta_common.fleet import Standing


def added_up(parts: Iterable[Mapping[str, Standing]]) -> dict[str, Standing]:
    """Returns how each tenant stands over all gateways."""
    whole: dict[str, Standing] = {}
    for part in parts:
        for tenant, one in part.items():
            whole[tenant] = _sum(whole[tenant], one) if tenant in whole else one
    return whole


def next_upload(tenants: Mapping[str, Standing], slots: int, free: int) -> str | None:
    """Returns whose upload gets the next slot; ``None`` if it is for somebody else.

    Args:
        tenants: How each stands.
        slots: Slots of the pool.
        free: Those of them that nobody has.
    """
    waiting = [name for name, one in tenants.items() if one.uploads]
    within = [name for name in waiting if not is_over_share(tenants, name, slots)]
    if not within:
        return None
    first = min(within, key=lambda name: (*_had(tenants[name]), tenants[name].since, name))
    return None if _ahead(tenants, first, uploads=False) >= free else first


def comes_too_soon(tenants: Mapping[str, Standing], tenant: str, free: int) -> bool:
    """Returns whether the free places are for clients of tenants that had less.

    Args:
        tenants: How each stands.
        tenant: Who wants one of the places for a live session.
        free: How many there are.
    """
    return _ahead(tenants, tenant, uploads=True) >= free


def is_over_share(tenants: Mapping[str, Standing], tenant: str, slots: int) -> bool:
    """Returns whether a tenant has all that it may have while others wait, and others do."""
    own = tenants.get(tenant, Standing())
    if own.share >= 1 or own.served < max(1, math.floor(own.share * slots)):
        return False
    return any(one.waiting for name, one in tenants.items() if name != tenant)


def may_wait(tenants: Mapping[str, Standing], tenant: str, most: int) -> bool:
    """Returns whether an upload may wait although as many wait as may.

    Each tenant has its part of the room, so that one does not take all of it.
    """
    waiting = {name: one.uploads for name, one in tenants.items() if one.uploads}
    own = waiting.get(tenant, 0)
    part = most // len({*waiting, tenant})
    return own < part and sum(waiting.values()) < 2 * most


def _ahead(tenants: Mapping[str, Standing], tenant: str, *, uploads: bool) -> int:
    """Returns how many clients of tenants wait that had less."""
    had = _had(tenants.get(tenant, Standing()))
    return sum(
        one.turned_away + (one.uploads if uploads else 0)
        for name, one in tenants.items()
        if name != tenant and _had(one) < had
    )


def _sum(one: Standing, other: Standing) -> Standing:
    begun = [each.since for each in (one, other) if each.uploads]
    return Standing(
        served=one.served + other.served,
        uploads=one.uploads + other.uploads,
        since=min(begun, default=0),
        turned_away=one.turned_away + other.turned_away,
        share=min(one.share, other.share),
        last=max(one.last, other.last),
    )


def _had(one: Standing) -> tuple[int, int]:
    return one.served, one.last
