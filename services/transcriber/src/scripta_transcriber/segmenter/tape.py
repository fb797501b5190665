"""The audio of a session past its checkpoint, and which entries it came in.

Entries are taken up one by one as their audio is needed, so that nothing depends on how many
are waiting.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scripta_common.wire import BYTES_PER_SAMPLE, Checkpoint, Entry


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where an audio entry ends on the tape."""

    seq: int
    end: int
    accepted_ms: int


class Tape:
    """Audio from the checkpoint on, read frame by frame. Positions are session samples.

    Attributes:
        start: First sample on the tape: the checkpoint's.
        position: Sample up to which frames were read.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.start = self.position = checkpoint.sample
        self._seq = checkpoint.seq
        self._pcm = bytearray()
        self._marks: deque[_Mark] = deque()
        self._waiting: deque[Entry] = deque()
        # Where the client paused on the tape, and how many of these places have been passed.
        self._pauses: list[int] = []
        self._passed = 0

    @property
    def end(self) -> int:
        """Sample just past the audio that was taken up."""
        return self.start + len(self._pcm) // BYTES_PER_SAMPLE

    @property
    def heard(self) -> int:
        """Samples on the tape that were read."""
        return self.position - self.start

    def push(self, entry: Entry) -> None:
        """Puts an entry in line."""
        self._waiting.append(entry)

    def read(self, samples: int) -> npt.NDArray[np.int16] | None:
        """Returns the next ``samples`` samples, or ``None`` before a boundary or for want of more.

        A pause before their end is a boundary. Only as many entries are taken up as that needs.
        """
        while True:
            if self.meets_pause and self._pauses[self._passed] < self.position + samples:
                return None
            if self.end - self.position >= samples:
                break
            if not self._waiting or self._waiting[0].is_boundary:
                return None
            self._take_up(self._waiting.popleft())
        at = self.position
        self.position += samples
        return np.frombuffer(self.pcm(at, self.position), dtype="<i2")

    @property
    def meets_pause(self) -> bool:
        """Whether a pause lies ahead on the tape: if so, only this keeps ``read`` from going on."""
        return self._passed < len(self._pauses)

    @property
    def meets_boundary(self) -> bool:
        """Whether a control entry is next, once all audio and all pauses before it are passed."""
        waits = bool(self._waiting) and self._waiting[0].is_boundary
        return waits and not self.meets_pause

    def pass_pause(self) -> None:
        """Goes on behind the next pause."""
        self._passed += 1

    def boundary(self) -> Entry | None:
        """Takes up and returns the control entry next in line, once all audio before it is."""
        if self._waiting and self._waiting[0].is_boundary:
            return self._waiting.popleft()
        return None

    def pcm(self, start: int, end: int) -> bytes:
        """Returns the audio between two samples."""
        first, last = ((sample - self.start) * BYTES_PER_SAMPLE for sample in (start, end))
        with memoryview(self._pcm) as tape:
            return bytes(tape[first:last])

    def accepted_ms(self, sample: int) -> int:
        """Returns when the entry that reaches up to ``sample`` was accepted; 0 if unknown."""
        for mark in self._marks:
            if mark.end >= sample:
                return mark.accepted_ms
        return 0

    def rewind(
        self, sample: int, consumed: int | None = None, *, speaking: bool = False
    ) -> Checkpoint:
        """Drops the audio before ``sample``, reads from there on, and returns the checkpoint.

        Args:
            sample: Where to go on.
            consumed: Number of the control entry that is now consumed with all before it.
            speaking: Whether speech goes on behind it.
        """
        del self._pcm[: (sample - self.start) * BYTES_PER_SAMPLE]
        self.start = self.position = sample
        # Those behind it are met again, as by a replay.
        self._pauses = [pause for pause in self._pauses if pause > sample]
        self._passed = 0
        while self._marks and (consumed is not None or self._marks[0].end <= sample):
            self._seq = self._marks.popleft().seq
        if consumed is not None:
            self._seq = consumed
        return Checkpoint(sample, self._seq, speaking)

    def _take_up(self, entry: Entry) -> None:
        if entry.first_sample > self.end:
            raise ValueError(
                f"entry {entry.seq} starts at sample {entry.first_sample}, "
                f"but the audio before it ends at {self.end}"
            )
        skipped = self.end - entry.first_sample
        self._pcm += memoryview(entry.pcm)[skipped * BYTES_PER_SAMPLE :]
        accepted_ms = entry.accepted_ms
        if self._marks and self._marks[-1].end == self.end:
            accepted_ms = self._marks.pop().accepted_ms
        self._marks.append(_Mark(entry.seq, self.end, accepted_ms))
        if entry.is_pause and self.end not in self._pauses[-1:]:
            self._pauses.append(self.end)
