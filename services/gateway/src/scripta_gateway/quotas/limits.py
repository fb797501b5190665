"""The limits of tenants and keys, by name. Pure."""

from __future__ import annotations

from enum import StrEnum


class Limit(StrEnum):
    """A limit of a tenant or a key, as a key file calls it; the value is the metric's label."""

    SESSIONS = "sessions"
    SESSIONS_A_MINUTE = "sessions_a_minute"
    AUDIO_SECONDS_A_DAY = "audio_seconds_a_day"
    UPLOAD_BYTES = "upload_bytes"
    SHARE = "share"
