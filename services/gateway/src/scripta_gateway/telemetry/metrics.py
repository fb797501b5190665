"""Metrics that the gateway counts as it goes.

What is read off at a scrape is in ``session_metrics`` and ``fleet_metrics``.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import product
from typing import Final

from prometheus_client import Gauge

from scripta_common.errors import (
    AnswerTooLong,
    BadAudio,
    BadRequest,
    BrokerUnavailable,
    Draining,
    Forbidden,
    GatewayFull,
    NoCapacity,
    OverLimit,
    ProviderUnavailable,
    ScriptaError,
    SessionIdle,
    Superseded,
    TooManyRefusals,
    Unauthorized,
    UnknownModel,
    UnsupportedLanguage,
)
from scripta_common.loop_metrics import (
    counter,
    counters,
    counters_of_two,
    histograms,
    histograms_of_two,
)
from scripta_common.metrics import LATENCY_BUCKETS
from scripta_gateway.audio.doubt import Doubt
from scripta_gateway.bounds import Bound
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.quotas.limits import Limit
from scripta_gateway.telemetry.latency import PARTS, Delivered, Latency, Untimed


class Outcome(StrEnum):
    """How a session came to be held here no more."""

    COMPLETED = "completed"
    """Its client ended it, or closed the connection in good form."""
    ABANDONED = "abandoned"
    """Its connection broke and nobody came back."""
    IDLE = "idle"
    """Its client sent nothing for too long."""
    SUPERSEDED = "superseded"
    """Its client has come back by another gateway."""
    HANDED_OVER = "handed_over"
    """This gateway went away; its client was told to connect again."""
    REJECTED = "rejected"
    """Its client asked for a language that nobody speaks here, or sent only what is refused."""
    FAILED = "failed"
    """By a fault of ours, or for want of capacity."""


class ResumeRefusal(StrEnum):
    """Why a client that came back did not get its session."""

    UNKNOWN = "unknown"
    """There is no such session, or its token is another one; a client is not told which."""
    FAILED = "failed"
    """It has failed."""
    MID_FILE = "mid_file"
    """It is in the middle of a file, and the decoder that had its beginning is gone."""
    BEHIND = "behind"
    """Results that it has not got are kept no more."""
    AHEAD = "ahead"
    """The client says that it has more results than there are."""


class Fetched(StrEnum):
    """How it ended that a recording was fetched from a URL."""

    COMPLETE = "complete"
    """All of it was read."""
    REFUSED = "refused"
    """It may not be fetched from there."""
    FAILED = "failed"
    """Its host does not have it, broke off, or was too slow."""
    LEFT = "left"
    """The call ended before."""


class Posted(StrEnum):
    """What became of a result that was to be sent to a URL."""

    DELIVERED = "delivered"
    """The target took it."""
    GIVEN_UP = "given_up"
    """The target did not take it, after all tries or until this gateway stopped."""


_OTHER: Final = "other"
_CLOSE_CODES: Final = (1000, 1001, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013)
_LEFT: Final = frozenset({1000, 1001, 1005})
"""Close codes of clients that leave in good form: done, going away, none given."""
_REFUSALS: Final = (
    BadRequest,
    Unauthorized,
    Forbidden,
    OverLimit,
    UnknownModel,
    UnsupportedLanguage,
    Draining,
    GatewayFull,
    NoCapacity,
    BrokerUnavailable,
    ProviderUnavailable,
)

_CONNECTIONS = Gauge("scripta_gateway_connections", "Open connections.", ["dialect"])
CONNECTIONS = {dialect: _CONNECTIONS.labels(dialect.value) for dialect in DialectName}
CONNECTIONS_OPENED = counters(
    "scripta_gateway_connections_opened_total", "Connections opened.", "dialect", DialectName
)
CLOSES = counters_of_two(
    "scripta_gateway_closes_total",
    "Connections closed, by close code.",
    ("dialect", "code"),
    product(DialectName, (*map(str, _CLOSE_CODES), _OTHER)),
)
SESSIONS = Gauge("scripta_gateway_sessions", "Sessions that this gateway holds.")
SESSIONS_OPENED = counter("scripta_gateway_sessions_opened_total", "Sessions opened.")
SESSIONS_RESUMED = counter("scripta_gateway_sessions_resumed_total", "Sessions taken up again.")
SESSIONS_ENDED = counters(
    "scripta_gateway_sessions_ended_total", "Sessions held no more, by outcome.", "outcome", Outcome
)
REFUSALS = counters_of_two(
    "scripta_gateway_refusals_total",
    "Clients refused before their call began.",
    ("dialect", "reason"),
    product(DialectName, (*(error.code for error in _REFUSALS), _OTHER)),
)
RESUMES_REFUSED = counters(
    "scripta_gateway_resumes_refused_total",
    "Clients that came back and did not get their session.",
    "reason",
    ResumeRefusal,
)
KEY_FILE_FAILING = Gauge(
    "scripta_gateway_key_file_failing",
    "1 while the key file has changed and can not be used, so that the former keys work on.",
)
PROVIDER_FAILING = Gauge(
    "scripta_gateway_identity_provider_failing",
    "1 while the identity provider's keys can not be read, so that the former ones count.",
)
TLS_EXPIRY = Gauge(
    "scripta_gateway_tls_expiry_timestamp_seconds",
    "Unix time at which the certificate in use expires; 0 without TLS.",
)
TLS_FILES_FAILING = Gauge(
    "scripta_gateway_tls_files_failing",
    "1 while the certificate's files have changed and can not be used, so that the former stays.",
)
TLS_HANDSHAKES = counters(
    "scripta_gateway_tls_handshakes_total",
    "Handshakes of TLS, by how they ended.",
    "outcome",
    ("done", "failed", "late"),
)
OVER_LIMIT = counters(
    "scripta_gateway_over_limit_total",
    "Sessions and recordings refused, or ended, because their callers were over a limit.",
    "limit",
    Limit,
)
BOUNDS_HIT = counters(
    "scripta_gateway_bounds_hit_total",
    "Times that a client was refused, held back or closed by a bound.",
    "bound",
    Bound,
)
DECODERS = Gauge(
    "scripta_gateway_decoders", "Compressed streams that are open, each a process of its own."
)
DECODERS_LOST = counters(
    "scripta_gateway_decoders_lost_total",
    "Decoders' processes that ended in mid-stream, by why.",
    "reason",
    ("crash", "deadline", "memory"),
)
DOUBTS = counters(
    "scripta_gateway_doubtful_audio_total",
    "Sessions whose undeclared raw audio can hardly be 16-bit samples, by what it looks like.",
    "looks_like",
    Doubt,
)
MESSAGES = counter("scripta_gateway_messages_total", "Audio messages accepted.")
MESSAGES_REFUSED = counters(
    "scripta_gateway_messages_refused_total", "Messages refused.", "dialect", DialectName
)
AUDIO_SECONDS = counter("scripta_gateway_audio_seconds_total", "Seconds of audio accepted.")
BACKPRESSURE_SECONDS = counter(
    "scripta_gateway_backpressure_seconds_total",
    "Seconds for which clients were held back because their transcripts are far behind.",
)
FINALS = counter("scripta_gateway_finals_total", "Finals delivered to clients.")
INTERIMS = counter("scripta_gateway_interims_total", "Interims delivered to clients.")
FINALS_UNTIMED = counters(
    "scripta_gateway_finals_untimed_total",
    "Finals delivered whose latency says nothing or is not known.",
    "reason",
    Untimed,
)
FETCHES = counters(
    "scripta_gateway_fetches_total",
    "Recordings that were to be fetched from a URL, by how that ended.",
    "outcome",
    Fetched,
)
CALLBACKS = counters(
    "scripta_gateway_callbacks_total",
    "Results that were to be sent to a URL, by what became of them.",
    "outcome",
    Posted,
)
CALLBACK_RETRIES = counter(
    "scripta_gateway_callback_retries_total", "Further tries to send a result to a URL."
)
CALLBACKS_OPEN = Gauge(
    "scripta_gateway_callbacks_open", "Calls whose results are being sent to a URL."
)
_WHOLE: Final = {
    Delivered.FINAL: histograms(
        "scripta_gateway_final_latency_seconds",
        "Time from the arrival of what decided a segment's end until its final was sent.",
        "dialect",
        DialectName,
        LATENCY_BUCKETS,
    ),
    Delivered.FIRST_INTERIM: histograms(
        "scripta_gateway_first_interim_latency_seconds",
        "Time from the arrival of a segment's first audio until its first interim was sent.",
        "dialect",
        DialectName,
        LATENCY_BUCKETS,
    ),
}
_PARTS = histograms_of_two(
    "scripta_gateway_latency_part_seconds",
    "Where the time of a latency was spent; the parts add up to the whole.",
    ("result", "part"),
    product(Delivered, PARTS),
    LATENCY_BUCKETS,
)


def observe_latency(dialect: DialectName, what: Delivered, latency: Latency) -> None:
    """Adds how late a result was, as a whole and in parts."""
    _WHOLE[what][dialect].observe(latency.total)
    for part in PARTS:
        _PARTS[what.value, part].observe(getattr(latency, part))


def count_close(dialect: DialectName, code: int) -> None:
    """Counts a close; codes of a client's own invention share one series a dialect."""
    CLOSES.get((dialect.value, str(code)), CLOSES[dialect.value, _OTHER]).inc()


def count_refusal(dialect: DialectName, error: ScriptaError) -> None:
    """Counts a client that was refused before its call began."""
    REFUSALS.get((dialect.value, error.code), REFUSALS[dialect.value, _OTHER]).inc()


def outcome_of_close(code: int) -> Outcome:
    """Returns the outcome of a session whose client closed its connection, or lost it."""
    return Outcome.COMPLETED if code in _LEFT else Outcome.ABANDONED


def outcome_of_error(error: ScriptaError) -> Outcome:
    """Returns the outcome of a session that could not go on at this gateway."""
    match error:
        case SessionIdle():
            return Outcome.IDLE
        case Superseded():
            return Outcome.SUPERSEDED
        case Draining():
            return Outcome.HANDED_OVER
        case BadRequest() | UnknownModel() | UnsupportedLanguage():
            return Outcome.REJECTED
        case TooManyRefusals() | BadAudio() | AnswerTooLong() | OverLimit():
            return Outcome.REJECTED
        case _:
            return Outcome.FAILED
