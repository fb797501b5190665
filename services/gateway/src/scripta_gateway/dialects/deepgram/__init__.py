"""Deepgram's ``/v1/listen``: a query that says it all, then audio in and results out."""

from scripta_gateway.dialects.deepgram.live import LiveCodec, LiveDialect

__all__ = ["LiveCodec", "LiveDialect"]
