"""Names of everything on the broker, in one place.

All keys of a session share the hash tag ``{sid}``, so that scripts over them work in a Cluster.
So do all that count for a tenant, with ``{tenant:NAME}``.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "scripta:v1:"
DEFAULT_POOL: Final = "default"
"""Pool of the sessions that ask for no model, and of transcribers that are told of none."""
ASSIGN: Final = PREFIX + "assign"
"""Stream with one entry a session of the default pool that needs an owner; its pending entry is
the lease."""
ASSIGN_TTL_MS: Final = 24 * 3600 * 1000
"""How long the stream outlives the last session put into it and the last lease renewed."""
GROUP: Final = "transcribers"
"""Consumer group on every pool's assignment stream."""
FLEET: Final = PREFIX + "fleet"
"""Hash: what each transcriber says of itself, and the last that was said in each pool."""


def assign(pool: str) -> str:
    """Stream: sessions of a pool that need an owner."""
    return ASSIGN if pool == DEFAULT_POOL else f"{ASSIGN}:{pool}"


def beats(pool: str) -> str:
    """Hash: when each transcriber of a pool was heard, and since when without a break.

    In a Cluster it is on the server that has the pool's line.
    """
    return f"{PREFIX}beats:{{{assign(pool)}}}"


def state(sid: str) -> str:
    """Hash: what a session is, and who owns it."""
    return f"{PREFIX}{{{sid}}}:state"


def audio(sid: str) -> str:
    """Stream: entries of a session from its checkpoint on; the id of entry n is ``n-0``."""
    return f"{PREFIX}{{{sid}}}:audio"


def results(sid: str) -> str:
    """Stream: recorded results of a session; the id of result n is ``n-0``."""
    return f"{PREFIX}{{{sid}}}:results"


def gateway_channel(gateway_id: str) -> str:
    """Pub/sub channel on which a gateway hears of results."""
    return f"{PREFIX}gateway:{gateway_id}"


def of_tenant(tenant: str, what: str) -> str:
    """Returns the name of what is counted for a tenant; all of one tenant share a hash tag.

    Args:
        tenant: The tenant; names in a key file can not break the tag.
        what: What is kept there.
    """
    return f"{PREFIX}{{tenant:{tenant}}}:{what}"


TENANTS: Final = PREFIX + "tenants"
"""Sorted set: tenants for which something was counted, by when, in Unix seconds."""


def usage(tenant: str, start: str) -> str:
    """Hash: what a tenant used in an hour (``2026-11-29T03``) or on a day (``2026-11-29``); UTC."""
    return of_tenant(tenant, f"usage:{start}")


def counted(tenant: str, sid: str) -> str:
    """Hash: how much of a session was counted for its tenant."""
    return of_tenant(tenant, f"counted:{sid}")


def seats(tenant: str, key: str | None = None) -> str:
    """Sorted set: sessions of a tenant, or of one of its keys, by when they lapse, in Unix ms."""
    return of_tenant(tenant, "seats" if key is None else f"seats:{key}")


def rate(tenant: str, key: str | None = None) -> str:
    """String: until when the new sessions of a tenant, or a key, fill their minute, in Unix ms."""
    return of_tenant(tenant, "rate" if key is None else f"rate:{key}")


URGENT: Final = "!"
"""Behind the session's id in a transcriber's ring: a boundary was asked for."""


def transcriber_channel(transcriber_id: str) -> str:
    """Pub/sub channel on which a transcriber hears of new entries."""
    return f"{PREFIX}transcriber:{transcriber_id}"
