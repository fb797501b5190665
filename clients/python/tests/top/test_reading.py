from __future__ import annotations

import catalogue
import pytest

from scripta_client.top.reading import PARTS, read
from scripta_client.top.samples import Samples

pytestmark = pytest.mark.unit

FIRST, SECOND = "10.0.0.1:8000", "10.0.0.2:8000"


def test_sessions_add_up_and_the_fleet_does_not(window, system):
    view = read(window(*system))
    assert view.traffic.sessions == 21 + 22
    assert view.traffic.connections == 20 + 21
    [pool] = view.fleet.pools
    assert (pool.demand, pool.slots, pool.waiting, pool.transcribers) == (43, 64, 0, 2)


def test_rates_are_those_of_all_gateways(window, system):
    traffic = read(window(*system)).traffic
    assert traffic.opened_rate == pytest.approx(2.4)
    assert traffic.audio_rate == pytest.approx(39.6)
    assert traffic.message_rate == pytest.approx(400)
    assert traffic.sessions_held_back == pytest.approx(1.0)
    assert traffic.refusals_in_window == {}


def test_parts_of_the_latency_add_up_to_its_mean(window, system):
    final = read(window(*system)).final
    assert final.count == 80
    assert list(final.parts) == list(PARTS)
    assert sum(final.parts.values()) == pytest.approx(final.mean_seconds)
    assert 0.5 < final.p50_seconds < final.p99_seconds < 0.75
    assert final.within_target == 1.0


def test_real_time_factor_is_decoding_over_audio(window, system):
    one = read(window(*system)).transcribers[0]
    assert one.final_real_time_factor == pytest.approx(0.045)
    assert one.interim_real_time_factor == pytest.approx(0.1)


def test_fleet_is_that_of_the_gateway_that_saw_it_last(window, system):
    system[1][FIRST]["scripta_fleet_observation_age_seconds"] = 9.0
    system[1][FIRST]['scripta_sessions_waiting{pool="default"}'] = 5
    fleet = read(window(*system)).fleet
    assert fleet.age_seconds == pytest.approx(0.6)
    assert fleet.pools[0].waiting == 0


def test_gateway_that_does_not_see_the_fleet_hides_it_from_nobody(window, system):
    for series in list(system[1][SECOND]):
        if 'pool="default"' in series:
            del system[1][SECOND][series]
    system[1][SECOND]["scripta_fleet_observation_age_seconds"] = 14.0
    assert [pool.slots for pool in read(window(*system)).fleet.pools] == [64]


def test_median_lag_is_that_of_most_sessions_and_the_longest_is_the_longest(window, system):
    system[1][FIRST]["scripta_gateway_sessions"] = 1
    traffic = read(window(*system)).traffic
    assert traffic.lag_p50_seconds == pytest.approx(0.8)
    assert traffic.lag_max_seconds == 7.5


def test_process_that_does_not_answer_keeps_its_place(window, system):
    system[1][SECOND] = "no connection"
    view = read(window(*system))
    assert [(one.name, one.error) for one in view.gateways] == [
        (FIRST, ""),
        (SECOND, "no connection"),
    ]
    assert view.traffic.sessions == 21
    assert view.silent == {}


def test_process_that_never_answered_is_told_apart(window, system):
    system[1]["10.9.9.9:80"] = "no connection"
    assert read(window(*system)).silent == {"10.9.9.9:80": "no connection"}


def test_what_an_older_version_does_not_export_is_unknown(window):
    today = {"scripta_gateway_sessions": 3}
    view = read(window({FIRST: today}, {FIRST: today}))
    assert view.traffic.sessions == 3
    assert view.traffic.connections is None
    assert view.traffic.refusals_in_window is None
    assert view.final.count is None
    assert view.final.p50_seconds is None
    assert view.fleet.pools == ()
    assert view.broker.memory_bytes is None
    assert view.gateways[0].draining is None


def test_only_metrics_that_the_services_promise_are_asked_for(window, system, monkeypatch):
    asked = {}
    select = Samples.select

    def noting(self, name, **labels):
        for label, value in labels.items():
            asked.setdefault(name, {}).setdefault(label, set()).add(value)
        asked.setdefault(name, {})
        return select(self, name, **labels)

    monkeypatch.setattr(Samples, "select", noting)
    read(window(*system))
    promised = catalogue.series()
    assert len(asked) > 30
    assert set(asked) <= set(promised)
    for name, labels in asked.items():
        for label, values in labels.items():
            assert promised[name][label] is None or values <= promised[name][label]
