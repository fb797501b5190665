"""Recordings that are posted to ``/v1/audio/transcriptions``."""

from scripta_gateway.dialects.openai.recordings.codec import RecordingsDialect

__all__ = ["RecordingsDialect"]
