"""The mock engine: answers every message with when it came and how big it was.

For load tests and for trying out clients; it hears nothing.
"""

from __future__ import annotations

from datetime import datetime

from scripta_transcriber.engines.base import Capabilities, Draft, Segment, Segmentation, Transcript


class MockEngine:
    """Says ``Transcribed: <local time> (size: <bytes> bytes)`` of every message."""

    name = "mock"
    capabilities = Capabilities(
        languages=frozenset(),
        segmentation=Segmentation.MESSAGE,
        interims=False,
        instant=True,
        slots_per_thread=1000,
    )

    def load(self) -> None:
        """Loads nothing."""

    def transcribe(self, segment: Segment, memo: object = None) -> Transcript:
        """Returns the time at which the message was accepted, in local time, and its size."""
        accepted = datetime.fromtimestamp(segment.accepted_ms / 1000)
        return Transcript(
            text=f"Transcribed: {accepted:%Y-%m-%d %H:%M:%S} (size: {segment.message_bytes} bytes)"
        )

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        """Returns the same as the final."""
        return Draft(self.transcribe(segment).text)
