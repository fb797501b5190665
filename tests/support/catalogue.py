"""The metrics that the services export, with their labels and all the values these may take.

Dashboards, alerts and whoever reads the metrics may use what stands here and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram"]
Values = frozenset[str] | None
"""The values of a label; ``None`` if they come from an installation."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as a service exports it.

    Attributes:
        name: Its name; a histogram's without its suffixes.
        kind: What Prometheus calls its type.
        labels: Its own labels, without those that Prometheus adds.
        buckets: Upper bounds of a histogram's buckets, without infinity.
    """

    name: str
    kind: Kind
    labels: Mapping[str, Values] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()

    def series(self) -> Iterator[tuple[str, Mapping[str, Values]]]:
        """Yields the names of its series with their labels."""
        if self.kind != "histogram":
            yield self.name, self.labels
            return
        bounds = frozenset({*(str(float(bound)) for bound in self.buckets), "+Inf"})
        yield f"{self.name}_bucket", {**self.labels, "le": bounds}
        yield f"{self.name}_sum", self.labels
        yield f"{self.name}_count", self.labels


ADDED_BY_PROMETHEUS: Final = frozenset({"namespace", "pod", "instance", "job"})

_LATENCY: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 30)
_LOOP: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_BROKER: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_CODES: Final = "1000 1001 1005 1006 1007 1008 1009 1011 1012 1013 other"
_COMMANDS: Final = (
    "open assign attach restore append poll line withdraw claim commit interim release accuse "
    "acquit heartbeat reclaim tidy handoff drop enlist roster demand meter xrange other"
)
_POOL: Final = {"pool": None}
_TENANT: Final = {"tenant": None}


def _one_of(values: str) -> frozenset[str]:
    return frozenset(values.split())


_KIND: Final = {"kind": _one_of("final interim")}
_DIALECT: Final = {"dialect": _one_of("native deepgram openai vosk wyoming")}

GATEWAY: Final = (
    Metric("scripta_gateway_connections", "gauge", _DIALECT),
    Metric("scripta_gateway_connections_opened_total", "counter", _DIALECT),
    Metric("scripta_gateway_closes_total", "counter", {**_DIALECT, "code": _one_of(_CODES)}),
    Metric("scripta_gateway_sessions", "gauge"),
    Metric("scripta_gateway_sessions_opened_total", "counter"),
    Metric("scripta_gateway_sessions_resumed_total", "counter"),
    Metric(
        "scripta_gateway_sessions_ended_total",
        "counter",
        {"outcome": _one_of("completed abandoned idle superseded handed_over rejected failed")},
    ),
    Metric(
        "scripta_gateway_refusals_total",
        "counter",
        {
            **_DIALECT,
            "reason": _one_of(
                "bad_request unauthorized forbidden over_limit unknown_model unsupported_language "
                "draining gateway_full "
                "no_capacity broker_unavailable provider_unavailable other"
            ),
        },
    ),
    Metric(
        "scripta_gateway_resumes_refused_total",
        "counter",
        {"reason": _one_of("unknown failed mid_file behind ahead")},
    ),
    Metric(
        "scripta_gateway_bounds_hit_total",
        "counter",
        {
            "bound": _one_of(
                "head_bytes tls_seconds head_seconds body_bytes body_seconds fetch_seconds "
                "redirects callback_bytes bad_attempts requests connections silent_connections "
                "frame_bytes text_bytes frames unfinished_bytes refusals answer_words unread "
                "decoders decoder_memory decoder_seconds gap_seconds held_audio tls_handshakes"
            )
        },
    ),
    Metric(
        "scripta_gateway_over_limit_total",
        "counter",
        {"limit": _one_of("sessions sessions_a_minute audio_seconds_a_day upload_bytes share")},
    ),
    Metric("scripta_gateway_key_file_failing", "gauge"),
    Metric("scripta_gateway_identity_provider_failing", "gauge"),
    Metric("scripta_gateway_tls_expiry_timestamp_seconds", "gauge"),
    Metric("scripta_gateway_tls_files_failing", "gauge"),
    Metric(
        "scripta_gateway_tls_handshakes_total",
        "counter",
        {"outcome": _one_of("done failed late")},
    ),
    Metric("scripta_gateway_decoders", "gauge"),
    Metric(
        "scripta_gateway_decoders_lost_total",
        "counter",
        {"reason": _one_of("crash deadline memory")},
    ),
    Metric(
        "scripta_gateway_doubtful_audio_total",
        "counter",
        {
            "looks_like": _one_of(
                "compressed odd_offset big_endian u8 s24 s32 f32 mulaw alaw",
            )
        },
    ),
    Metric(
        "scripta_gateway_fetches_total",
        "counter",
        {"outcome": _one_of("complete refused failed left")},
    ),
    Metric(
        "scripta_gateway_callbacks_total",
        "counter",
        {"outcome": _one_of("delivered given_up")},
    ),
    Metric("scripta_gateway_callback_retries_total", "counter"),
    Metric("scripta_gateway_callbacks_open", "gauge"),
    Metric("scripta_gateway_messages_total", "counter"),
    Metric("scripta_gateway_messages_refused_total", "counter", _DIALECT),
    Metric("scripta_gateway_audio_seconds_total", "counter"),
    Metric("scripta_gateway_backpressure_seconds_total", "counter"),
    Metric("scripta_gateway_finals_total", "counter"),
    Metric("scripta_gateway_interims_total", "counter"),
    Metric(
        "scripta_gateway_finals_untimed_total",
        "counter",
        {"reason": _one_of("ahead missed unknown kept")},
    ),
    Metric("scripta_gateway_final_latency_seconds", "histogram", _DIALECT, _LATENCY),
    Metric("scripta_gateway_first_interim_latency_seconds", "histogram", _DIALECT, _LATENCY),
    Metric(
        "scripta_gateway_latency_part_seconds",
        "histogram",
        {
            "result": _one_of("final first_interim"),
            "part": _one_of("append queue decode commit relay"),
        },
        _LATENCY,
    ),
    Metric("scripta_gateway_audio_lag_seconds", "gauge", {"stat": _one_of("p50 max")}),
    Metric("scripta_gateway_draining", "gauge"),
    Metric("scripta_gateway_tenant_sessions", "gauge", _TENANT),
    Metric("scripta_gateway_tenant_sessions_opened_total", "counter", _TENANT),
    Metric("scripta_gateway_tenant_audio_seconds_total", "counter", _TENANT),
    Metric("scripta_broker_memory_bytes", "gauge"),
    Metric("scripta_broker_memory_limit_bytes", "gauge"),
)
"""What a gateway exports of itself and of the broker."""

FLEET: Final = (
    Metric("scripta_sessions_waiting", "gauge", _POOL),
    Metric("scripta_sessions_leased", "gauge", _POOL),
    Metric("scripta_demand_sessions", "gauge", _POOL),
    Metric("scripta_slots", "gauge", _POOL),
    Metric("scripta_transcribers", "gauge", _POOL),
    Metric("scripta_unmetered_transcribers", "gauge", _POOL),
    Metric("scripta_fleet_observation_age_seconds", "gauge"),
)
"""What every gateway exports of the fleet, the same from each."""

TRANSCRIBER: Final = (
    Metric("scripta_transcriber_slots", "gauge"),
    Metric("scripta_transcriber_slots_in_use", "gauge"),
    Metric("scripta_transcriber_claims_total", "counter", {"how": _one_of("new handoff expired")}),
    Metric("scripta_transcriber_sessions_moved_total", "counter"),
    Metric("scripta_transcriber_fenced_commits_total", "counter"),
    Metric(
        "scripta_transcriber_sessions_failed_total",
        "counter",
        {"reason": _one_of("unsupported_language model_gone engine_failure poison")},
    ),
    Metric("scripta_transcriber_finals_total", "counter"),
    Metric("scripta_transcriber_interims_total", "counter"),
    Metric("scripta_transcriber_interims_skipped_total", "counter"),
    Metric("scripta_transcriber_decode_seconds", "histogram", _KIND, _LATENCY),
    Metric("scripta_transcriber_decoded_audio_seconds_total", "counter", _KIND),
    Metric("scripta_transcriber_queue_seconds", "histogram", _KIND, _LATENCY),
    Metric("scripta_transcriber_commit_seconds", "histogram", buckets=_LATENCY),
    Metric("scripta_transcriber_model_load_seconds", "gauge"),
    Metric("scripta_transcriber_engine_info", "gauge", {"engine": None, "model": None}),
)
"""What a transcriber exports of itself."""

BOTH: Final = (
    Metric("scripta_broker_command_seconds", "histogram", {"command": _one_of(_COMMANDS)}, _BROKER),
    Metric(
        "scripta_broker_errors_total",
        "counter",
        {"kind": _one_of("timeout connection loading memory readonly other")},
    ),
    Metric("scripta_event_loop_lag_seconds", "histogram", buckets=_LOOP),
    Metric(
        "scripta_build_info",
        "gauge",
        {"service": _one_of("gateway transcriber"), "version": None, "revision": None},
    ),
    Metric("process_cpu_seconds_total", "counter"),
    Metric("process_resident_memory_bytes", "gauge"),
)
"""What both services export."""

OF_OTHERS: Final = (
    Metric("ALERTS", "gauge", {"alertname": None, "alertstate": _one_of("pending firing")}),
    Metric(
        "kube_horizontalpodautoscaler_status_desired_replicas",
        "gauge",
        {"horizontalpodautoscaler": None},
    ),
)
"""What Prometheus itself and kube-state-metrics export, if they are there."""


def series() -> dict[str, Mapping[str, Values]]:
    """Returns the labels of every series that a dashboard or an alert may ask for, by name."""
    metrics = (*GATEWAY, *FLEET, *TRANSCRIBER, *BOTH, *OF_OTHERS)
    return {name: labels for metric in metrics for name, labels in metric.series()}
