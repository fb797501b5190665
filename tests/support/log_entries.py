"""Entries and results of sessions in tests of the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from scripta_common.sessionlog import (
    AppendOutcome,
    Claim,
    GatewayLog,
    SessionOptions,
)
from scripta_common.wire import (
    Entry,
    EntryKind,
    Final,
    Reason,
)

SID = "a-session"
OPTIONS = SessionOptions(language="en", interim_results=True, endpointing_ms=400)
Lease = Callable[..., Awaitable[Claim]]


def audio(seq: int, samples: int = 100) -> Entry:
    """Entry ``seq`` of a stream whose entries are all of one length."""
    return Entry(
        seq=seq,
        kind=EntryKind.AUDIO,
        first_sample=(seq - 1) * samples,
        pcm=bytes([seq % 256]) * (2 * samples),
        accepted_ms=1_700_000_000_000 + seq,
        message_bytes=2 * samples,
    )


def final(index: int, text: str = "words") -> Final:
    return Final(index, float(index), index + 0.5, text, Reason.ENDPOINT)


async def append(gateway: GatewayLog, *seqs: int) -> list[AppendOutcome]:
    return [(await gateway.append(SID, [audio(seq)]))[0] for seq in seqs]
