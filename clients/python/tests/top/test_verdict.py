from __future__ import annotations

import pytest

from scripta_client.top.reading import read
from scripta_client.top.verdict import health, judge
from scripta_client.top.view import Health

pytestmark = pytest.mark.unit

FIRST, SECOND = "10.0.0.1:8000", "10.0.0.2:8000"
TRANSCRIBER = "10.0.1.1:8001"
LATENCY = "scripta_gateway_final_latency_seconds"


@pytest.fixture
def findings(window, system):
    """Returns what is said once these values are exported after some traffic."""

    def say(process=FIRST, fleet=None, **changes):
        for gateway in (FIRST, SECOND):
            for name, value in (fleet or {}).items():
                system[1][gateway][f'scripta_{name}{{pool="default"}}'] = value
        for series, value in changes.items():
            system[1][process][series] = value
        found = judge(read(window(*system)))
        return [(str(finding.health), finding.text) for finding in found]

    return say


def test_healthy_system_gives_nothing_to_say(findings):
    assert findings() == []
    assert health(()) is Health.HEALTHY


def test_process_that_does_not_answer_is_critical(system, findings):
    system[1][TRANSCRIBER] = "no answer within 2 s"
    assert findings() == [
        ("critical", f"transcriber {TRANSCRIBER} does not answer: no answer within 2 s")
    ]


def test_no_transcriber_is_critical_and_says_who_waits(findings):
    gone = {"transcribers": 0, "slots": 0, "sessions_waiting": 3, "demand_sessions": 3}
    assert findings(fleet=gone) == [
        ("critical", "no transcriber in pool default: 3 sessions waiting")
    ]


def test_no_transcriber_at_all_is_critical_even_if_nobody_asks(findings):
    gone = {"transcribers": 0, "slots": 0, "sessions_waiting": 0, "demand_sessions": 0}
    assert findings(fleet=gone) == [("critical", "no transcriber in pool default")]


def test_pool_at_zero_that_nobody_asks_for_is_well(findings):
    other = {
        f'scripta_{name}{{pool="gpu"}}': 0
        for name in ("slots", "transcribers", "demand_sessions", "sessions_waiting")
    }
    assert findings(**other) == []


def test_transcribers_that_all_drain_are_critical(findings):
    assert findings(fleet={"slots": 0}) == [
        ("critical", "no slots in pool default: its transcribers load or drain")
    ]


def test_waiting_session_is_a_warning_with_the_slots(findings):
    full = {"sessions_waiting": 1, "sessions_leased": 64, "demand_sessions": 65}
    assert findings(fleet=full) == [
        ("warning", "1 session waits in pool default, 64 of 64 slots are taken")
    ]


def test_gateways_that_do_not_see_the_fleet_are_critical(system, findings):
    system[1][SECOND] = "no connection"
    said = findings(scripta_fleet_observation_age_seconds=14.0)
    assert ("critical", "gateways have not seen the fleet for 14 s: is the broker up?") in said


def test_late_finals_are_a_warning(system, findings, histogram):
    before = histogram(LATENCY, [])
    system[0][FIRST] |= before
    system[0][SECOND] |= before
    system[1][SECOND] |= before
    assert findings(**histogram(LATENCY, [0.4] * 98 + [1.2] * 2)) == [
        ("warning", "finals are late: 98.0% of 100 within 1 s, 99% are wanted")
    ]


def test_refusals_for_want_of_capacity_are_a_warning_and_wrong_requests_are_news(findings):
    assert findings(**{'scripta_gateway_refusals_total{reason="bad_request"}': 2}) == [
        ("healthy", "clients refused: 2 bad_request")
    ]
    assert findings(**{'scripta_gateway_refusals_total{reason="no_capacity"}': 19}) == [
        ("warning", "clients refused: 12 no_capacity, 2 bad_request")
    ]


def test_audio_that_waits_for_longer_than_a_segment_is_a_warning(findings):
    assert findings(**{'scripta_gateway_audio_lag_seconds{stat="max"}': 34.0}) == [
        ("warning", "audio waits for its words: 34 s of it")
    ]


def test_failed_session_comes_before_a_takeover(system, findings):
    system[1][TRANSCRIBER]['scripta_transcriber_claims_total{how="expired"}'] = 2
    said = findings(**{'scripta_gateway_sessions_ended_total{outcome="failed"}': 2})
    assert said == [
        ("critical", "1 session failed"),
        ("healthy", "2 sessions taken over from dead transcribers"),
    ]


def test_broker_is_watched(findings):
    said = findings(
        **{
            "scripta_broker_memory_bytes": 250 * 2**20,
            'scripta_broker_errors_total{kind="timeout"}': 5,
        }
    )
    assert said == [
        ("warning", "the broker's memory is 98% full"),
        ("warning", "errors of the broker: 3 timeout"),
    ]


def test_draining_gateway_is_news(findings):
    assert findings(scripta_gateway_draining=1) == [("healthy", f"gateway {FIRST} is draining")]
