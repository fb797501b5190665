"""What a client asks of usage: a time, and the length of the pieces that it is cut into. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from scripta_common.errors import BadRequest
from scripta_common.usage import day_of, hour_of
from scripta_gateway.bounds import MAX_USAGE_STARTS

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_EXAMPLE: Final = "2026-11-29 or 2026-11-29T13:00Z"
_EARLIEST: Final = datetime(2020, 1, 1, tzinfo=UTC)


class By(StrEnum):
    """Length of a piece of time."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


_UNLESS_SAID: Final = {By.HOUR: _DAY, By.DAY: 30 * _DAY, By.MONTH: 365 * _DAY}
"""How long before the end an answer begins if nobody says it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked.

    Attributes:
        since: Beginning of the first piece.
        until: End of the last piece.
        by: Length of a piece.
        tenant: The one tenant that an operator asks about; ``None`` for all.
    """

    since: datetime
    until: datetime
    by: By
    tenant: str | None = None

    @property
    def starts(self) -> list[str]:
        """The hours or the days that usage is kept by, as the broker names them."""
        step, name = (_HOUR, hour_of) if self.by is By.HOUR else (_DAY, day_of)
        count = (self.until - self.since) // step
        return [name((self.since + place * step).timestamp()) for place in range(count)]

    def piece_of(self, start: str) -> str:
        """Returns the beginning of the piece that an hour or a day is in, as an answer has it."""
        if self.by is By.MONTH:
            start = f"{start[:7]}-01"
        return f"{start}:00:00Z" if self.by is By.HOUR else f"{start}T00:00:00Z"


def parse(query: Sequence[tuple[str, str]], now: datetime, *, all_tenants: bool = False) -> Asked:
    """Returns what the query of a request asks; times are rounded to whole pieces, outwards.

    Args:
        query: The query's parameters, in order.
        now: The time, which is the end if the query names none.
        all_tenants: Whether ``tenant`` is known, too.

    Raises:
        BadRequest: A parameter is unknown, comes twice, or can not be read; or it is too much.
    """
    names = ("from", "to", "by", *(("tenant",) if all_tenants else ()))
    said: dict[str, str] = {}
    for name, value in query:
        if name not in names:
            raise BadRequest(f"There is no parameter {name!r}; there are {', '.join(names)}.")
        if name in said:
            raise BadRequest(f"The parameter {name!r} comes twice; send it once.")
        said[name] = value
    by = _by(said.get("by", By.DAY))
    until = _ceil(_moment("to", said["to"]) if "to" in said else now, by)
    since = _floor(
        _moment("from", said["from"]) if "from" in said else until - _UNLESS_SAID[by], by
    )
    if since >= until:
        raise BadRequest("from has to be before to, which is not included.")
    step = _HOUR if by is By.HOUR else _DAY
    if (until - since) // step > MAX_USAGE_STARTS:
        raise BadRequest(
            f"This is more than {MAX_USAGE_STARTS} {'hours' if by is By.HOUR else 'days'}; "
            "ask for a shorter time."
        )
    return Asked(since, until, by, said.get("tenant"))


def _by(text: str) -> By:
    try:
        return By(text)
    except ValueError:
        raise BadRequest(f"by has to be one of {', '.join(By)}.") from None


def _moment(name: str, text: str) -> datetime:
    try:
        # In a query a plus sign that nobody has escaped stands for a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadRequest(f"{name} has to be a day or a time such as {_EXAMPLE}.") from None
    if not _EARLIEST <= moment < _EARLIEST.replace(year=9000):
        raise BadRequest(f"{name} has to be a day or a time such as {_EXAMPLE}.")
    return moment


def _floor(moment: datetime, by: By) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if by is By.HOUR:
        return hour
    return hour.replace(hour=0) if by is By.DAY else hour.replace(hour=0, day=1)


def _ceil(moment: datetime, by: By) -> datetime:
    floor = _floor(moment, by)
    if floor == moment:
        return moment
    if by is By.MONTH:
        return _floor(floor + 31 * _DAY, by)
    return floor + (_HOUR if by is By.HOUR else _DAY)
