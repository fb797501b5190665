"""Deepgram's ``/v1/listen``: a query that says it all, and audio live or as a whole recording."""

from scripta_gateway.dialects.deepgram.live import LiveCodec, LiveDialect
from scripta_gateway.dialects.deepgram.prerecorded import PrerecordedDialect

__all__ = ["LiveCodec", "LiveDialect", "PrerecordedDialect"]
