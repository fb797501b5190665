"""Entries of a session's audio stream, as both sides read them."""

from __future__ import annotations

from collections.abc import Sequence

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.wire import Entry, EntryKind, Reason


async def read_entries(broker: Broker, sid: str, after: int, count: int) -> list[Entry]:
    """Returns up to ``count`` entries behind number ``after``, in order."""
    rows = await broker.execute("XRANGE", keys.audio(sid), f"({after}-0", "+", "COUNT", count)
    return [_entry(entry_id, fields) for entry_id, fields in rows]


def _entry(entry_id: bytes, fields: Sequence[bytes]) -> Entry:
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    return Entry(
        seq=int(entry_id.partition(b"-")[0]),
        kind=EntryKind(values[b"k"].decode()),
        first_sample=int(values[b"s"]),
        pcm=values[b"d"],
        accepted_ms=int(values[b"t"]),
        message_bytes=int(values[b"m"]),
        reason=Reason(values[b"r"].decode()),
    )
