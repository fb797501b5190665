"""The rows of usage, and how they are called on the broker: pure.

The hash of an hour or of a day has up to three fields for each row: a letter for what is counted,
and the key and the model as JSON. The hash of a day also has totals of its samples, which limits
are held to: of the tenant, and of each key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from scripta_common.wire import SAMPLE_RATE

OTHERS: Final = "(others)"
"""Key of all rows together for which an hour or a day has no room."""

_COUNTS: Final = {"a": "samples", "s": "sessions", "f": "finals"}
"""What is counted by its letter, in the order of a row's attributes."""
_row_decoder: Final = msgspec.json.Decoder(tuple[str, str])


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What was used in one hour, or one day, with one key and one model.

    Attributes:
        start: The hour as ``2026-11-29T03``, or the day as ``2026-11-29``; UTC.
        key: Id of the key; empty where callers need none.
        model: Own name of the model.
        samples: Samples of audio, at 16 kHz.
        sessions: Sessions that began.
        finals: Finals.
    """

    start: str
    key: str
    model: str
    samples: int = 0
    sessions: int = 0
    finals: int = 0

    @property
    def audio_seconds(self) -> float:
        """Seconds of audio."""
        return round(self.samples / SAMPLE_RATE, 4)


def hour_of(moment: float) -> str:
    """Returns the hour of a Unix time in seconds, by UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H")


def day_of(moment: float) -> str:
    """Returns the day of a Unix time in seconds, by UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def row_name(key: str, model: str) -> str:
    """Returns what stands behind the letter in the fields of a row."""
    return msgspec.json.encode((key, model)).decode()


def total_field(key: str | None = None) -> str:
    """Returns the field of a day's hash with all samples of a key; of the tenant by default."""
    return "total" if key is None else f"total:{key}"


def rows_of(start: str, fields: Mapping[bytes, bytes]) -> list[UsageRow]:
    """Returns the rows of an hour's or a day's hash, in order.

    Fields that it does not know are left out: a newer release may count more.
    """
    counted: dict[tuple[str, str], dict[str, int]] = {}
    for field, value in fields.items():
        count = _COUNTS.get(chr(field[0])) if field[1:2] == b"[" else None
        if count is not None:
            counted.setdefault(_row_decoder.decode(field[1:]), {})[count] = int(value)
    return [
        UsageRow(start, key, model, *(counts.get(count, 0) for count in _COUNTS.values()))
        for (key, model), counts in sorted(counted.items())
    ]


def summed(start: str, rows: Iterable[UsageRow]) -> list[UsageRow]:
    """Returns rows of several hours or days as rows of one longer time, in order."""
    sums: dict[tuple[str, str], UsageRow] = {}
    for row in rows:
        names = row.key, row.model
        so_far = sums.get(names, UsageRow(start, *names))
        sums[names] = UsageRow(
            start,
            *names,
            so_far.samples + row.samples,
            so_far.sessions + row.sessions,
            so_far.finals + row.finals,
        )
    return [sums[names] for names in sorted(sums)]
