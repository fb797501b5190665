"""Makes a view of a window: the one place that knows the metrics' names."""

from __future__ import annotations

from typing import Final

from scripta_client.top.samples import Kind, Samples, label, total
from scripta_client.top.view import (
    Broker,
    Fleet,
    Gateway,
    Latency,
    Pool,
    Traffic,
    Transcriber,
    View,
)
from scripta_client.top.window import Window

FINAL_TARGET_SECONDS: Final = 1.0
"""A final in time, by the SLO; a bound of the histogram's buckets."""

PARTS: Final = ("append", "queue", "decode", "commit", "relay")
"""Where the time goes, in the order in which it passes."""


def read(window: Window) -> View:
    """Returns what can be said at the window's newest frame."""
    silent = {
        name: scrape.error
        for name, scrape in window.latest.scrapes.items()
        if scrape.samples is None and window.kind(name) is None
    }
    return View(
        at=window.latest.at,
        window_seconds=window.seconds,
        traffic=_traffic(window),
        final=_latency(window, "final"),
        first_interim=_latency(window, "first_interim"),
        fleet=_fleet(window),
        gateways=tuple(_gateway(window, name) for name in _of(window, Kind.GATEWAY)),
        transcribers=tuple(_transcriber(window, name) for name in _of(window, Kind.TRANSCRIBER)),
        broker=_broker(window),
        silent=silent,
    )


def _of(window: Window, kind: Kind) -> list[str]:
    return [name for name in window.latest.scrapes if window.kind(name) is kind]


def _gateway(window: Window, name: str) -> Gateway:
    scrape = window.latest.scrapes[name]
    if scrape.samples is None:
        return Gateway(name, scrape.error)
    now = scrape.samples
    draining = now.value("scripta_gateway_draining")
    return Gateway(
        name=name,
        draining=None if draining is None else draining > 0,
        sessions=now.value("scripta_gateway_sessions"),
        connections=now.value("scripta_gateway_connections"),
        opened_rate=window.rate(name, "scripta_gateway_sessions_opened_total"),
        audio_rate=window.rate(name, "scripta_gateway_audio_seconds_total"),
        message_rate=window.rate(name, "scripta_gateway_messages_total"),
        lag_p50_seconds=now.value("scripta_gateway_audio_lag_seconds", stat="p50"),
        lag_max_seconds=now.value("scripta_gateway_audio_lag_seconds", stat="max"),
        loop_lag_p95_seconds=_p95(window, [name], "scripta_event_loop_lag_seconds"),
    )


def _transcriber(window: Window, name: str) -> Transcriber:
    scrape = window.latest.scrapes[name]
    if scrape.samples is None:
        return Transcriber(name, scrape.error)
    now = scrape.samples
    takeovers = window.increase(name, "scripta_transcriber_claims_total", how="expired")
    return Transcriber(
        name=name,
        slots=now.value("scripta_transcriber_slots"),
        slots_in_use=now.value("scripta_transcriber_slots_in_use"),
        final_real_time_factor=_real_time_factor(window, name, "final"),
        interim_real_time_factor=_real_time_factor(window, name, "interim"),
        final_rate=window.rate(name, "scripta_transcriber_finals_total"),
        queue_p95_seconds=_p95(window, [name], "scripta_transcriber_queue_seconds", kind="final"),
        takeovers_in_window=takeovers,
        fenced_in_window=window.increase(name, "scripta_transcriber_fenced_commits_total"),
    )


def _real_time_factor(window: Window, name: str, kind: str) -> float | None:
    decoding = window.increase(name, "scripta_transcriber_decode_seconds_sum", kind=kind)
    audio = window.increase(name, "scripta_transcriber_decoded_audio_seconds_total", kind=kind)
    return decoding / audio if decoding is not None and audio else None


def _traffic(window: Window) -> Traffic:
    gateways = window.answering(Kind.GATEWAY)
    now = [window.samples(name) for name in gateways]
    return Traffic(
        sessions=total(one.value("scripta_gateway_sessions") for one in now),
        connections=total(one.value("scripta_gateway_connections") for one in now),
        opened_rate=window.total_rate(Kind.GATEWAY, "scripta_gateway_sessions_opened_total"),
        audio_rate=window.total_rate(Kind.GATEWAY, "scripta_gateway_audio_seconds_total"),
        message_rate=window.total_rate(Kind.GATEWAY, "scripta_gateway_messages_total"),
        final_rate=window.total_rate(Kind.GATEWAY, "scripta_gateway_finals_total"),
        refused_message_rate=window.total_rate(
            Kind.GATEWAY, "scripta_gateway_messages_refused_total"
        ),
        refusals_in_window=_counted(window, gateways, "scripta_gateway_refusals_total", "reason"),
        failed_in_window=total(
            window.increase(name, "scripta_gateway_sessions_ended_total", outcome="failed")
            for name in gateways
        ),
        sessions_held_back=window.total_rate(
            Kind.GATEWAY, "scripta_gateway_backpressure_seconds_total"
        ),
        lag_p50_seconds=_median_lag(now),
        lag_max_seconds=max(
            (
                lag
                for one in now
                if (lag := one.value("scripta_gateway_audio_lag_seconds", stat="max")) is not None
            ),
            default=None,
        ),
    )


def _median_lag(gateways: list[Samples]) -> float | None:
    """Returns the gateways' median lags' median, each counted with its sessions."""
    lags = [
        (lag, one.value("scripta_gateway_sessions") or 0.0)
        for one in gateways
        if (lag := one.value("scripta_gateway_audio_lag_seconds", stat="p50")) is not None
    ]
    half = sum(sessions for _, sessions in lags) / 2
    passed = 0.0
    for lag, sessions in sorted(lags):
        passed += sessions
        if passed >= half:
            return lag
    return None


def _latency(window: Window, result: str) -> Latency:
    gateways = window.answering(Kind.GATEWAY)
    took = window.distribution(gateways, f"scripta_gateway_{result}_latency_seconds")
    parts = {}
    for part in PARTS:
        one = window.distribution(
            gateways, "scripta_gateway_latency_part_seconds", result=result, part=part
        )
        if one.mean is not None:
            parts[part] = one.mean
    return Latency(
        count=took.count if took.known else None,
        p50_seconds=took.quantile(0.5),
        p95_seconds=took.quantile(0.95),
        p99_seconds=took.quantile(0.99),
        mean_seconds=took.mean,
        ceiling_seconds=took.ceiling,
        within_target=took.share_within(FINAL_TARGET_SECONDS),
        parts=parts,
    )


def _fleet(window: Window) -> Fleet:
    """Returns what the gateway says that saw the fleet last; all say the same."""
    ages: list[tuple[float, str]] = []
    for name in window.answering(Kind.GATEWAY):
        age = window.samples(name).value("scripta_fleet_observation_age_seconds")
        if age is not None:
            ages.append((age, name))
    if not ages:
        return Fleet(None, ())
    age, name = min(ages)
    now = window.samples(name)
    pools = sorted(label(key, "pool") for key in now.select("scripta_slots"))
    return Fleet(age, tuple(_pool(now, pool) for pool in pools))


def _pool(now: Samples, pool: str) -> Pool:
    return Pool(
        name=pool,
        demand=now.value("scripta_demand_sessions", pool=pool),
        slots=now.value("scripta_slots", pool=pool),
        waiting=now.value("scripta_sessions_waiting", pool=pool),
        leased=now.value("scripta_sessions_leased", pool=pool),
        transcribers=now.value("scripta_transcribers", pool=pool),
    )


def _broker(window: Window) -> Broker:
    everyone = window.answering()
    memory = [window.samples(name).value("scripta_broker_memory_bytes") for name in everyone]
    limit = [window.samples(name).value("scripta_broker_memory_limit_bytes") for name in everyone]
    return Broker(
        memory_bytes=max((value for value in memory if value is not None), default=None),
        memory_limit_bytes=max((value for value in limit if value is not None), default=None),
        command_p95_seconds=_p95(window, everyone, "scripta_broker_command_seconds"),
        errors_in_window=_counted(window, everyone, "scripta_broker_errors_total", "kind"),
    )


def _counted(window: Window, processes: list[str], metric: str, by: str) -> dict[str, float] | None:
    """Returns growth by a label, where there was any; ``None`` if it is not exported."""
    grown = window.grown_by(processes, metric, by)
    return {key: value for key, value in grown.items() if value > 0} if grown else None


def _p95(window: Window, processes: list[str], metric: str, **labels: str) -> float | None:
    return window.distribution(processes, metric, **labels).quantile(0.95)
