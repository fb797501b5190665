"""The OpenAI dialect: realtime transcription at ``/v1/realtime``."""

from scripta_gateway.dialects.openai.realtime import RealtimeCodec, RealtimeDialect

__all__ = ["RealtimeCodec", "RealtimeDialect"]
