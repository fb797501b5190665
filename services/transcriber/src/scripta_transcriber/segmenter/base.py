"""What cuts a session's audio into segments: the seam and its two words.

A segmenter is pure: no clock, no I/O, no model. Entries go in, cuts come out. Everything it
decides follows from the entries since the checkpoint it was made at, never from how they were
grouped or when they came, so a replay from the checkpoint cuts at the same places. After every
cut it starts afresh at the cut's checkpoint (and feeds itself the audio past it again).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from scripta_common.wire import Checkpoint, Entry
from scripta_transcriber.engines.base import Segment


@dataclass(frozen=True, slots=True)
class Cut:
    """A boundary: what is decided, and from where the segmenter starts afresh.

    Attributes:
        segment: Audio to decode into one final; ``None`` where only silence was passed. A
            segment with empty ``pcm`` is a final with empty text (a boundary was asked for and
            nothing was said).
        checkpoint: The session's checkpoint once that final is committed.
        ended: Whether this was the end of the stream.
    """

    segment: Segment | None
    checkpoint: Checkpoint
    ended: bool = False


class Segmenter(Protocol):
    """Cuts one session's audio. Blocking; called from a worker thread, never concurrently."""

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks, nor has begun to: what comes may be heard a little later."""
        ...

    def feed(self, entry: Entry) -> list[Cut]:
        """Takes the next entry (audio before the checkpoint in it is skipped); returns cuts."""
        ...

    def open_segment(self) -> Segment | None:
        """Returns the speech heard since the last cut, for an interim; ``None`` in silence."""
        ...
