"""The answer to a question about usage: JSON, a row for each piece of time, key and model. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from scripta_common.usage import UsageRow, summed
from scripta_gateway.usage.asked import Asked

ANONYMOUS: Final = "anonymous"
"""How the tenant of those who need no key is called where it is shown."""


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was used in one piece of time with one key and one model."""

    start: str
    key: str
    model: str
    audio_seconds: float
    sessions: int
    finals: int
    tenant: str | None = None


def rows_of(asked: Asked, used: Sequence[UsageRow], tenant: str | None = None) -> list[Row]:
    """Returns the rows of one tenant, in the order of time, key and model.

    Args:
        asked: What is asked.
        used: What was used, by hours or days.
        tenant: The tenant, if rows are to name it.
    """
    pieces: dict[str, list[UsageRow]] = {}
    for row in used:
        pieces.setdefault(asked.piece_of(row.start), []).append(row)
    return [
        Row(start, row.key, row.model, row.audio_seconds, row.sessions, row.finals, tenant)
        for start, rows in pieces.items()
        for row in summed(start, rows)
    ]


def encode(asked: Asked, rows: Iterable[Row], more: Mapping[str, object]) -> bytes:
    """Returns the body of an answer.

    Args:
        asked: What was asked.
        rows: All rows.
        more: What else stands in front of the rows.
    """
    body = {
        **more,
        "from": f"{asked.since:%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{asked.until:%Y-%m-%dT%H:%M:%SZ}",
        "by": asked.by,
        "rows": list(rows),
    }
    return msgspec.json.encode(body)
