from __future__ import annotations

import pytest

from scripta_client.backoff import Backoff, Outage, may_pass
from scripta_client.errors import (
    CannotConnect,
    ConnectionLost,
    InvalidUrl,
    ProtocolViolation,
    Refused,
    SessionFailed,
    SessionLost,
)

pytestmark = pytest.mark.unit

FULL = Backoff(first=0.5, longest=3.0, prompt=0.1, jitter=lambda: 1.0)


def test_waits_double_up_to_a_bound_and_jitter_takes_a_share_of_them():
    assert [FULL.delay(attempt) for attempt in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    half = Backoff(first=0.5, longest=3.0, jitter=lambda: 0.5)
    assert [half.delay(attempt) for attempt in (1, 2, 100_000)] == [0.25, 0.5, 1.5]


def test_waits_differ_from_client_to_client():
    assert len({Backoff().delay(3) for _ in range(20)}) > 1


def test_only_the_first_try_is_prompt():
    assert [FULL.delay(attempt, prompt=True) for attempt in (1, 2)] == [0.1, 1.0]


def test_patience_ends_with_one_last_try_at_its_very_end():
    outage = Outage(FULL, now=100.0, mark=0)
    assert outage.next_delay(100.0, 2.0) == 0.5
    assert outage.next_delay(100.5, 2.0) == 1.0
    assert outage.next_delay(101.5, 2.0) == 0.5
    assert outage.next_delay(102.0, 2.0) is None
    assert outage.began == 100.0


def test_there_is_one_try_however_short_the_patience():
    outage = Outage(FULL, now=0.0, mark=0)
    assert outage.next_delay(0.0, 0.0) == 0.5
    assert outage.next_delay(0.5, 0.0) is None


@pytest.mark.parametrize(("asked", "delay"), [(1.5, 1.5), (0.0, 1.0), (3.0, None)])
def test_server_that_says_when_to_try_again_is_obeyed_or_given_up(asked, delay):
    outage = Outage(FULL, now=0.0, mark=0)
    outage.next_delay(0.0, 2.5)
    assert outage.next_delay(0.5, 2.5, retry_after=asked) == delay


def test_connection_that_brought_nothing_does_not_end_an_outage():
    outage = Outage(FULL, now=0.0, mark="there")
    assert not outage.goes_on(0.0, "there")
    outage.connected(1.0)
    assert outage.goes_on(2.0, "there")
    assert not outage.goes_on(2.0, "further")
    assert not outage.goes_on(30.0, "there")


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionLost(1006, ""), True),
        (ConnectionLost(1001, ""), True),
        (ConnectionLost(1011, ""), True),
        (ConnectionLost(1012, ""), True),
        (ConnectionLost(1013, ""), True),
        (ConnectionLost(1000, ""), False),
        (ConnectionLost(1008, ""), False),
        (ConnectionLost(1009, ""), False),
        (SessionFailed("no_capacity", ""), True),
        (SessionFailed("broker_unavailable", ""), True),
        (SessionFailed("session_lost", ""), True),
        (SessionFailed("model_gone", ""), True),
        (SessionFailed("superseded", ""), False),
        (SessionFailed("idle", ""), False),
        (SessionFailed("unsupported_language", ""), False),
        (SessionFailed("a code of tomorrow", ""), False),
        (Refused(503, ""), True),
        (Refused(502, ""), True),
        (Refused(400, ""), False),
        (Refused(403, ""), False),
        (CannotConnect("h", 1, ""), True),
        (InvalidUrl(""), False),
        (SessionLost("unknown", None), False),
        (ProtocolViolation(""), False),
    ],
)
def test_what_time_can_mend_is_tried_again(error, passes):
    assert may_pass(error) is passes
