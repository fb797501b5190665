"""Cuts a session by client messages: one segment for each, whatever is in it."""

from __future__ import annotations

from scripta_common.wire import Checkpoint, Entry, EntryKind, Reason
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.segmenter.base import Cut


class MessageSegmenter:
    """One cut a message; a message may span several entries. Finalize makes no segment.

    Attributes:
        quiet: Never: every message is answered.
    """

    quiet = False

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._start = checkpoint.sample
        self._pcm = bytearray()

    def feed(self, entry: Entry) -> list[Cut]:
        """Takes the next entry; returns a cut if it completes a message or the stream."""
        if entry.kind is EntryKind.END:
            return [Cut(None, Checkpoint(entry.first_sample, entry.seq), ended=True)]
        if entry.is_clear:
            self._pcm.clear()
            self._start = entry.first_sample
            return [Cut(None, Checkpoint(entry.first_sample, entry.seq))]
        if entry.kind is not EntryKind.AUDIO:
            # Passed, so that nothing stays undecided behind the last message.
            return [] if self._pcm else [Cut(None, Checkpoint(entry.first_sample, entry.seq))]
        self._pcm += entry.pcm
        if not entry.message_bytes:
            return []
        segment = Segment(
            start=self._start,
            pcm=bytes(self._pcm),
            reason=Reason.MESSAGE,
            message_bytes=entry.message_bytes,
            accepted_ms=entry.accepted_ms,
        )
        self._pcm.clear()
        self._start = entry.end_sample
        return [Cut(segment, Checkpoint(entry.end_sample, entry.seq))]

    def open_segment(self) -> Segment | None:
        """Returns nothing: a message has no words before it is complete."""
        return None
