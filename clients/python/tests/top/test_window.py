from __future__ import annotations

import pytest

from scripta_client.top.samples import Kind

pytestmark = pytest.mark.unit

OPENED = "scripta_gateway_sessions_opened_total"
REFUSALS = "scripta_gateway_refusals_total"
LATENCY = "scripta_gateway_final_latency_seconds"


def test_rate_is_growth_over_the_time_between_answers(window):
    seen = window({"a": {OPENED: 5}}, {"a": {OPENED: 8}}, {"a": {OPENED: 25}})
    assert seen.rate("a", OPENED) == pytest.approx(1.0)
    assert seen.seconds == 20.0


def test_one_answer_makes_no_rate_but_shows_what_there_is(window):
    seen = window({"a": {OPENED: 5, "scripta_gateway_sessions": 3}})
    assert seen.rate("a", OPENED) is None
    assert seen.seconds is None
    assert seen.samples("a").value("scripta_gateway_sessions") == 3


def test_what_is_not_exported_is_unknown_and_not_zero(window):
    seen = window({"a": {OPENED: 5}}, {"a": {OPENED: 5}})
    assert seen.rate("a", OPENED) == 0.0
    assert seen.rate("a", "scripta_gateway_finals_total") is None
    assert seen.total_rate(Kind.TRANSCRIBER, "scripta_transcriber_finals_total") is None
    assert not seen.distribution(["a"], LATENCY).known


def test_restarted_process_counts_from_zero(window):
    seen = window({"a": {OPENED: 100}}, {"a": {OPENED: 110}}, {"a": {OPENED: 4}})
    assert seen.increase("a", OPENED) == 14


def test_counter_that_had_outgrown_its_past_is_reset_with_the_process(window):
    finals = "scripta_gateway_finals_total"
    seen = window(
        {"a": {OPENED: 100, finals: 1}},
        {"a": {OPENED: 110, finals: 2}},
        {"a": {OPENED: 4, finals: 3}},
    )
    assert seen.increase("a", finals) == 1 + 3


def test_histogram_survives_a_restart_in_between(window, histogram):
    seen = window(
        {"a": histogram(LATENCY, [0.4] * 10)},
        {"a": histogram(LATENCY, [0.4] * 12)},
        {"a": histogram(LATENCY, [0.9] * 3)},
    )
    took = seen.distribution(["a"], LATENCY)
    assert took.count == 5
    assert took.mean == pytest.approx((2 * 0.4 + 3 * 0.9) / 5)
    assert took.share_within(0.5) == pytest.approx(2 / 5)


def test_gauge_that_falls_is_no_restart(window):
    seen = window(
        {"a": {OPENED: 10, "scripta_gateway_sessions": 9}},
        {"a": {OPENED: 12, "scripta_gateway_sessions": 1}},
    )
    assert seen.increase("a", OPENED) == 2


def test_series_that_appears_later_has_grown_from_zero(window):
    seen = window({"a": {OPENED: 1}}, {"a": {OPENED: 1, f'{REFUSALS}{{reason="draining"}}': 2}})
    assert seen.grown_by(["a"], REFUSALS, "reason") == {"draining": 2}


def test_histograms_of_several_processes_are_one(window, histogram):
    before = {"a": histogram(LATENCY, []), "b": histogram(LATENCY, [9.0])}
    after = {"a": histogram(LATENCY, [0.25] * 9), "b": histogram(LATENCY, [9.0, 1.2])}
    took = window(before, after).distribution(["a", "b"], LATENCY)
    assert took.count == 10
    assert took.share_within(1.0) == pytest.approx(0.9)


def test_process_that_does_not_answer_counts_for_nothing_and_is_still_known(window):
    seen = window(
        {"a": {OPENED: 0}, "b": {OPENED: 0}},
        {"a": {OPENED: 10}, "b": {OPENED: 10}},
        {"a": {OPENED: 20}, "b": "no connection"},
    )
    assert seen.answering() == ["a"]
    assert seen.total_rate(Kind.GATEWAY, OPENED) == pytest.approx(1.0)
    assert seen.kind("b") is Kind.GATEWAY


def test_silence_in_between_does_not_spoil_the_rate(window):
    seen = window({"a": {OPENED: 0}}, {"a": "no connection"}, {"a": {OPENED: 10}})
    assert seen.rate("a", OPENED) == pytest.approx(0.5)


def test_window_moves_on(window):
    seen = window(*({"a": {OPENED: number}} for number in range(20)))
    assert seen.seconds == 60.0
    assert seen.increase("a", OPENED) == 6


def test_interval_longer_than_the_window_still_has_two_answers(window):
    seen = window({"a": {OPENED: 0}}, {"a": {OPENED: 9}}, {"a": {OPENED: 18}}, every=90.0)
    assert seen.rate("a", OPENED) == pytest.approx(0.1)


def test_process_that_has_left_is_forgotten(window):
    gone = [{"a": {OPENED: 1}}, *[{} for _ in range(8)], {"a": "no connection"}]
    assert window(*gone).kind("a") is None


def test_not_a_number_is_as_good_as_nothing(window):
    seen = window({"a": {OPENED: 1, "scripta_gateway_sessions": float("nan")}})
    assert seen.samples("a").value("scripta_gateway_sessions") is None
