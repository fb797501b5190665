"""When a load test has failed, and what it says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from scripta_load.options import Options
from scripta_load.session import Report
from scripta_load.tally import Tally
from scripta_load.verdict import Latency, problems, table
from scripta_load.words import Count

pytestmark = pytest.mark.unit

GOOD = Report(
    finals=(), accepted=10, seconds=1.0, whole=True, broken="", reason="", disordered=0,
    refused=0, sent=10, late=0, worst_lateness=0.01,
)  # fmt: skip


HUNDRED = Count(100)


def tally(words: Count | None = HUNDRED, **changes: Any) -> Tally:
    found = Tally()
    found.session(replace(GOOD, **changes), words)
    return found


def test_sessions_that_heard_everything_pass() -> None:
    assert problems(tally(), Options()) == []


def test_nothing_that_ended_is_a_failure() -> None:
    assert problems(Tally(), Options()) == ["no session came to its end"]


@pytest.mark.parametrize("words", [Count(100, lost=2), Count(100, added=2)])
def test_lost_and_added_words_fail_beyond_what_is_allowed(words: Count) -> None:
    (problem,) = problems(tally(words), Options(max_lost=1.9))
    assert "words lost" in problem
    assert "of 100 (2 %, allowed 1.9 %)" in problem
    assert problems(tally(words), Options(max_lost=2.0)) == []


def test_changed_words_are_no_failure() -> None:
    """Another kind of processor may hear a word otherwise; it loses none."""
    assert problems(tally(Count(100, changed=3)), Options()) == []


def test_words_that_came_where_none_were_expected_fail() -> None:
    assert "0 words lost and 1 added of 0" in problems(tally(Count(0, added=1)), Options())[0]


def test_broken_connections_fail_beyond_what_is_allowed() -> None:
    found = tally()
    found.session(replace(GOOD, broken="1012"), Count(10))
    found.failed_to_connect()
    assert problems(found, Options(max_broken=1)) == [
        "2 connections broke or did not open (1012: 1, not opened: 1; allowed 1)"
    ]
    assert problems(found, Options(max_broken=2)) == []


def test_disorder_and_refused_messages_fail() -> None:
    assert problems(tally(disordered=1), Options()) == ["1 final out of order"]
    assert problems(tally(refused=2), Options()) == ["2 messages refused"]


def test_error_of_the_kit_fails() -> None:
    """A session that nobody counted must not pass for one that lost nothing."""
    found = tally()
    found.errors = 1
    assert problems(found, Options()) == ["1 session ended by an error that is in the log"]


def test_refusal_for_want_of_room_is_no_failure() -> None:
    """A gateway beyond its line is to refuse; how often is for the reader."""
    found = tally()
    found.refused = 5
    assert problems(found, Options()) == []
    assert "5 refused with 503" in table(Options(), found, [])


def test_sums_of_processes_add_up() -> None:
    one, other = tally(Count(3, lost=1), late=2), tally(None, broken="1006", worst_lateness=0.4)
    one.add(Tally.of(other.plain()))
    assert one.completed == 1
    assert one.broken == Counter({"1006": 1})
    assert one.words == Count(3, lost=1)
    assert (one.uncounted, one.sent, one.late, one.worst_lateness) == (1, 20, 2, 0.4)


def test_table_has_a_row_for_each_latency_and_doubts_a_load_that_was_late() -> None:
    rows = [Latency("final", 7, 600, 900, 1000, 950), Latency("close", 0, 0, 0, 0, 0)]
    text = table(Options(), tally(late=1), rows)
    (final,) = (line for line in text.splitlines() if line.startswith("final"))
    assert final.split() == ["final", "7", "600", "ms", "900", "ms", "950", "ms", "950", "ms"]
    assert "too busy" in text
    assert "too busy" not in table(Options(), tally(), rows)
