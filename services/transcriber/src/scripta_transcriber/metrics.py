"""Metrics of the transcriber."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from prometheus_client import Gauge

from scripta_common.loop_metrics import counter, counters, histogram, histograms
from scripta_common.metrics import LATENCY_BUCKETS


class Kind(StrEnum):
    """What the engine is asked for."""

    FINAL = "final"
    INTERIM = "interim"


class How(StrEnum):
    """How a session came to this transcriber."""

    NEW = "new"
    HANDOFF = "handoff"
    """From the line, and somebody had it before: handed off, or put in line again."""
    EXPIRED = "expired"
    """From an owner that gave no sign for the length of a lease."""


class Failure(StrEnum):
    """Why a session was failed."""

    UNSUPPORTED_LANGUAGE = "unsupported_language"
    MODEL_GONE = "model_gone"
    ENGINE_FAILURE = "engine_failure"
    POISON = "poison"
    """Its owners died, again and again."""


SLOTS = Gauge("scripta_transcriber_slots", "Sessions that this transcriber can serve at a time.")
SLOTS_IN_USE = Gauge("scripta_transcriber_slots_in_use", "Sessions that it serves now.")
CLAIMS = counters(
    "scripta_transcriber_claims_total",
    "Sessions claimed: new, handed off, or expired at another.",
    "how",
    How,
)
SESSIONS_MOVED = counter(
    "scripta_transcriber_sessions_moved_total",
    "Sessions handed over because another transcriber of the pool had less to do.",
)
FENCED_COMMITS = counter(
    "scripta_transcriber_fenced_commits_total",
    "Commits refused because another transcriber owns the session.",
)
SESSIONS_FAILED = counters(
    "scripta_transcriber_sessions_failed_total", "Sessions failed for good.", "reason", Failure
)
FINALS = counter("scripta_transcriber_finals_total", "Finals committed.")
INTERIMS = counter("scripta_transcriber_interims_total", "Interims sent.")
INTERIMS_SKIPPED = counter(
    "scripta_transcriber_interims_skipped_total",
    "Interims that were due and not made: the one before was not ready, or its segment ended.",
)
QUEUE_SECONDS = histograms(
    "scripta_transcriber_queue_seconds",
    "Time from asking for the engine until it started.",
    "kind",
    Kind,
    LATENCY_BUCKETS,
)
DECODE_SECONDS = histograms(
    "scripta_transcriber_decode_seconds",
    "Time that the engine took for a segment.",
    "kind",
    Kind,
    LATENCY_BUCKETS,
)
DECODED_AUDIO_SECONDS = counters(
    "scripta_transcriber_decoded_audio_seconds_total",
    "Seconds of audio that the engine decoded.",
    "kind",
    Kind,
)
COMMIT_SECONDS = histogram(
    "scripta_transcriber_commit_seconds",
    "Time that a commit took, with all its repetitions.",
    LATENCY_BUCKETS,
)
MODEL_LOAD_SECONDS = Gauge(
    "scripta_transcriber_model_load_seconds", "Time that loading the models took, all together."
)
_ENGINE = Gauge("scripta_transcriber_engine_info", "1, with what decodes.", ["engine", "model"])


def export_engines(engines: Iterable[tuple[str, str]]) -> None:
    """Exports what decodes: engines, each with the own name of its model."""
    _ENGINE.clear()
    for engine, model in engines:
        _ENGINE.labels(engine, model).set(1)
