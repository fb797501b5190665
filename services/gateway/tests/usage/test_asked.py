"""Questions about usage: which times they mean, and what they hear if they mean none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripta_common.errors import BadRequest
from scripta_gateway.bounds import MAX_USAGE_STARTS
from scripta_gateway.usage.asked import Asked, By, parse

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 29, 13, 30, tzinfo=UTC)


def ask(all_tenants: bool = False, **query: str) -> Asked:
    names = {"since": "from", "until": "to"}
    pairs = [(names.get(name, name), value) for name, value in query.items()]
    return parse(pairs, NOW, all_tenants=all_tenants)


def test_without_words_it_is_the_last_thirty_days_and_today() -> None:
    asked = ask()
    assert (asked.by, len(asked.starts)) == (By.DAY, 30)
    assert (asked.starts[0], asked.starts[-1]) == ("2026-10-31", "2026-11-29")


@pytest.mark.parametrize(
    ("query", "first", "last", "count"),
    [
        ({"by": "hour"}, "2026-11-28T14", "2026-11-29T13", 24),
        ({"by": "hour", "since": "2026-11-29"}, "2026-11-29T00", "2026-11-29T13", 14),
        ({"since": "2026-11-01", "until": "2026-12-01"}, "2026-11-01", "2026-11-30", 30),
        ({"since": "2026-11-29T12:00Z"}, "2026-11-29", "2026-11-29", 1),
        (
            {"by": "hour", "since": "2026-11-29T01:30:00+01:00", "until": "2026-11-29T02:00Z"},
            *("2026-11-29T00", "2026-11-29T01", 2),
        ),
        ({"by": "month", "since": "2026-11-15"}, "2026-11-01", "2026-11-30", 30),
        ({"by": "month"}, "2025-12-01", "2026-11-30", 365),
    ],
)
def test_times_are_rounded_outwards_to_whole_pieces(
    query: dict[str, str], first: str, last: str, count: int
) -> None:
    starts = ask(**query).starts
    assert (starts[0], starts[-1], len(starts)) == (first, last, count)


def test_plus_sign_that_a_query_turned_into_a_space_is_understood() -> None:
    asked = ask(by="hour", since="2026-11-29T02:00:00 01:00", until="2026-11-29T02:00Z")
    assert asked.starts == ["2026-11-29T01"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"since": "yesterday"}, "from has to be a day or a time"),
        ({"until": "2026-13-01"}, "to has to be a day or a time"),
        ({"since": "0001-01-01T00:00:00+23:00"}, "from has to be a day or a time"),
        ({"until": "9999-12-31T23:59:59-23:00"}, "to has to be a day or a time"),
        ({"by": "week"}, "by has to be one of hour, day, month"),
        ({"since": "2026-11-29", "until": "2026-11-29"}, "before to, which is not included"),
        ({"since": "2027-01-01"}, "before to"),
        ({"by": "hour", "since": "2026-01-01"}, f"more than {MAX_USAGE_STARTS} hours"),
        ({"since": "2021-01-01"}, f"more than {MAX_USAGE_STARTS} days"),
        ({"tenant": "acme"}, "no parameter 'tenant'"),
    ],
)
def test_what_can_not_be_answered_is_refused_in_words(query: dict[str, str], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        ask(**query)


def test_parameter_that_comes_twice_is_refused() -> None:
    with pytest.raises(BadRequest, match="comes twice"):
        parse([("by", "day"), ("by", "hour")], NOW)


def test_operator_may_ask_for_one_tenant() -> None:
    assert ask(all_tenants=True, tenant="acme").tenant == "acme"
    assert ask(all_tenants=True).tenant is None


@given(st.sampled_from(["from", "to", "by", "tenant", "x"]), st.text(max_size=40))
def test_whatever_is_asked_is_answered_or_refused(name: str, value: str) -> None:
    try:
        asked = parse([(name, value)], NOW, all_tenants=True)
    except BadRequest:
        return
    assert 0 < len(asked.starts) <= MAX_USAGE_STARTS
