"""Metrics of the gateway."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from scripta_common.errors import (
    BadRequest,
    BrokerUnavailable,
    Draining,
    GatewayFull,
    NoCapacity,
    UnknownModel,
)

SESSIONS = Gauge("scripta_gateway_sessions", "Sessions that this gateway holds.")
SESSIONS_OPENED = Counter("scripta_gateway_sessions_opened_total", "Sessions opened.")
SESSIONS_RESUMED = Counter("scripta_gateway_sessions_resumed_total", "Sessions taken up again.")
REFUSALS = Counter(
    "scripta_gateway_refusals_total", "Clients refused before the upgrade.", ["reason"]
)
CLOSES = Counter("scripta_gateway_closes_total", "Connections closed, by close code.", ["code"])
MESSAGES = Counter("scripta_gateway_messages_total", "Audio messages accepted.")
MESSAGES_REFUSED = Counter("scripta_gateway_messages_refused_total", "Messages refused.")
AUDIO_SECONDS = Counter("scripta_gateway_audio_seconds_total", "Seconds of audio accepted.")
FINALS = Counter("scripta_gateway_finals_total", "Finals delivered to clients.")

_CLOSE_CODES = frozenset({1000, 1001, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013})
for _code in (*_CLOSE_CODES, "other"):
    CLOSES.labels(str(_code))
for _error in (BadRequest, UnknownModel, Draining, GatewayFull, NoCapacity, BrokerUnavailable):
    REFUSALS.labels(_error.code)


def count_close(code: int) -> None:
    """Counts a close; codes of a client's own invention share one label."""
    CLOSES.labels(str(code) if code in _CLOSE_CODES else "other").inc()
