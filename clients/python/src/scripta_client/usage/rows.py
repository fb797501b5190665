"""Rows of usage, and their forms for people and programs. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from typing import Any

from scripta_client.printable import printable
from scripta_client.usage.arguments import Form


@dataclass(frozen=True, slots=True)
class Row:
    """What was used in one piece of time with one key and one model.

    Attributes:
        start: When it begins; UTC.
        tenant: The tenant.
        key: Id of the key; empty where none is needed.
        model: The model.
        audio_seconds: Seconds of audio.
        sessions: Sessions that began.
        finals: Finals.
    """

    start: str
    tenant: str
    key: str
    model: str
    audio_seconds: float
    sessions: int
    finals: int


def rows_of(answer: Any) -> list[Row]:
    """Returns the rows of a gateway's answer.

    Raises:
        LookupError, TypeError, ValueError: It is not an answer of a gateway.
    """
    own = answer.get("tenant", "") if isinstance(answer, dict) else ""
    return [
        Row(
            str(row["start"]),
            str(row.get("tenant", own)),
            str(row["key"]),
            str(row["model"]),
            float(row["audio_seconds"]),
            int(row["sessions"]),
            int(row["finals"]),
        )
        for row in answer["rows"]
    ]


def formatted(rows: Sequence[Row], form: Form) -> str:
    """Returns the rows in a form, with the end of the last line."""
    match form:
        case Form.CSV:
            return _csv(rows)
        case Form.JSONL:
            return "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)
        case Form.TABLE:
            return _table(rows)


def _csv(rows: Iterable[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Row))
    writer.writerows(astuple(row) for row in rows)
    return text.getvalue()


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return "nothing was used\n"
    lines: list[tuple[str, ...]] = [
        ("START (UTC)", "TENANT", "KEY", "MODEL", "AUDIO", "SESSIONS", "FINALS")
    ]
    lines += [_cells(row) for row in rows]
    whole = Row(
        *("total", "", "", ""),
        sum(row.audio_seconds for row in rows),
        sum(row.sessions for row in rows),
        sum(row.finals for row in rows),
    )
    lines.append(_cells(whole))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(_line(cells, widths) for cells in lines)


def _cells(row: Row) -> tuple[str, ...]:
    start = row.start.removesuffix(":00:00Z").removesuffix("T00").replace("T", " ")
    names = (start, row.tenant, row.key, row.model)
    return (
        *(printable(name) or "-" if row.start != "total" else name for name in names),
        _duration(row.audio_seconds),
        str(row.sessions),
        str(row.finals),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    left = [cell.ljust(width) for cell, width in zip(cells[:4], widths[:4], strict=True)]
    right = [cell.rjust(width) for cell, width in zip(cells[4:], widths[4:], strict=True)]
    return "  ".join([*left, *right]).rstrip() + "\n"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}"
