"""A session's books at the gateway: pure, no I/O, no clock.

Owns the numbering of entries, the audio clock, what the log holds that is not yet decided, and
the order of results.

Always true: entries are numbered 1, 2, 3 …; every recorded result is delivered once and in order.
The checkpoint only grows, and not before all results up to it are here. What is retained, exactly
the entries behind it, yields whatever is still owed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final, Self

from scripta_common.sessionlog import Attachment, Standing
from scripta_common.wire import (
    BYTES_PER_SAMPLE,
    SAMPLE_RATE,
    Checkpoint,
    Entry,
    EntryKind,
    Intake,
    Reason,
    Recorded,
    spoken_until,
)
from scripta_gateway.bounds import MAX_BACKLOG_ENTRIES, MAX_BOUNDARIES

MAX_ENTRY_SAMPLES: Final = SAMPLE_RATE
"""Audio in one entry, at most one second: what a replay reads again behind a checkpoint."""


class Ledger:
    """Numbers what goes into the log and orders what comes out of it.

    Args:
        max_backlog_samples: Audio past the checkpoint that ``has_room`` allows.
    """

    def __init__(self, max_backlog_samples: int) -> None:
        self._max_backlog = max_backlog_samples
        self._retained: deque[Entry] = deque()
        # Numbers of the retained entries by which clients, or their silence, ask for a boundary.
        self._boundaries: deque[int] = deque()
        self.last_seq = 0
        self.samples = 0
        self.index = 0
        self.checkpoint = Checkpoint()
        # Last result up to the checkpoint: where a restored session goes on counting.
        self.checkpoint_index = 0
        # The newest checkpoint that waits for results, with the index of the last of them.
        self._ahead: tuple[Checkpoint, int] | None = None
        self.intake = Intake()
        self._checkpoint_intake = Intake()
        # Samples of the unfinished message that have been given so far, in the log or skipped.
        self._given = 0
        # End of the last segment of speech, among the results and up to the checkpoint.
        self._spoken = self._checkpoint_spoken = 0

    @classmethod
    def resumed(
        cls,
        max_backlog_samples: int,
        attachment: Attachment,
        retained: Sequence[Entry],
        index: int,
    ) -> Self:
        """Returns the books of a session that another connection has begun.

        Args:
            max_backlog_samples: As for a new one.
            attachment: Where the session stands.
            retained: The entries that the log has behind the checkpoint.
            index: Last result that the client has.
        """
        ledger = cls(max_backlog_samples)
        # What stands in the log does not say what it took in; all of it was in by now.
        for entry in retained:
            ledger._retain(replace(entry, intake=attachment.intake))
        ledger.last_seq = attachment.seq
        ledger.samples = attachment.samples
        ledger.index = index
        ledger.checkpoint = attachment.checkpoint
        ledger.checkpoint_index = attachment.index
        ledger.intake = ledger._checkpoint_intake = attachment.intake
        return ledger

    def standing(self, connection: int) -> Standing:
        """Returns what a broker that has lost the session is given; entries from there follow.

        Raises:
            LookupError: Results before the checkpoint are lost and nothing is kept to redo them.
        """
        if self.index < self.checkpoint_index:
            raise LookupError(f"results behind {self.index} are gone")
        return Standing(
            checkpoint=self.checkpoint,
            index=self.checkpoint_index,
            samples=self._retained[0].first_sample if self._retained else self.samples,
            intake=self._checkpoint_intake,
            connection=connection,
            spoken=self._checkpoint_spoken,
        )

    @property
    def outstanding(self) -> bool:
        """Whether the log holds anything that is not yet decided."""
        return bool(self._retained)

    def has_room(self, entry: Entry) -> bool:
        """Returns whether an entry is near enough to the checkpoint to go into the log."""
        if entry.kind is EntryKind.FINALIZE:
            earlier = bisect_left(self._boundaries, entry.seq)
            if earlier >= MAX_BOUNDARIES:
                return False
        return (
            entry.end_sample - self.checkpoint.sample <= self._max_backlog
            and entry.seq - self.checkpoint.seq <= MAX_BACKLOG_ENTRIES
        )

    def entries_after(self, seq: int, most: int) -> list[Entry]:
        """Returns the entries behind number ``seq``, at most so many.

        Raises:
            LookupError: The next one is behind the checkpoint and not kept any more.
        """
        if seq >= self.last_seq:
            return []
        if seq < self.checkpoint.seq:
            raise LookupError(f"entry {seq + 1} is behind checkpoint {self.checkpoint.seq}")
        first = seq - self.checkpoint.seq
        return list(islice(self._retained, first, first + most))

    def samples_after(self, seq: int) -> int:
        """Returns the samples behind entry number ``seq``; what is not kept does not count."""
        place = max(0, seq - self.checkpoint.seq)
        if place >= len(self._retained):
            return 0
        # Asked for near the end of a deque (or, for a refill, its start), where that is fast.
        return self.samples - self._retained[place].first_sample

    def intake_at(self, seq: int) -> Intake:
        """Returns what of the client the log has with entry number ``seq``."""
        place = seq - self.checkpoint.seq - 1
        if not self._retained or place >= len(self._retained):
            return self.intake
        return self._retained[place].intake if place >= 0 else self._checkpoint_intake

    def seq_at(self, sample: int) -> int | None:
        """Returns the retained entry that a session sample is in, ``None`` if it is not kept."""
        if sample < self.checkpoint.sample:
            return None
        return next((e.seq for e in self._retained if e.end_sample > sample), None)

    def enter_audio(
        self,
        pcm: bytes,
        message_bytes: int,
        accepted_ms: int,
        *,
        at_rest: bool = True,
        more: bool = False,
    ) -> None:
        """Numbers a message's audio, in entries of at most ``MAX_ENTRY_SAMPLES``.

        A message may come in several calls, all but the last with ``more`` and without a size.

        Args:
            pcm: Whole samples, mono s16le at 16 kHz; may be empty.
            message_bytes: Size of the client's message; 0 for audio that no message completes.
            accepted_ms: Unix milliseconds.
            at_rest: Whether the decoder holds nothing back now.
            more: Whether the message goes on with the next call.
        """
        # Sent again after a break in its middle: what of it is in the log already stays as it is.
        before, given = self.intake, self._given
        view = memoryview(pcm)[max(0, before.partial - given) * BYTES_PER_SAMPLE :]
        self._given = given + len(pcm) // BYTES_PER_SAMPLE if more else 0
        if more and not view:
            return
        at = max(given, before.partial)
        step = MAX_ENTRY_SAMPLES * BYTES_PER_SAMPLE
        for start in range(0, len(view) or 1, step):
            last = start + step >= len(view) and not more
            if last:
                self.intake = Intake(before.messages + bool(message_bytes), 0, at_rest)
            else:
                done = at + min(start + step, len(view)) // BYTES_PER_SAMPLE
                self.intake = Intake(before.messages, done, before.at_rest)
            self._enter(
                Entry(
                    seq=self.last_seq + 1,
                    kind=EntryKind.AUDIO,
                    first_sample=self.samples,
                    pcm=bytes(view[start : start + step]),
                    accepted_ms=accepted_ms,
                    message_bytes=message_bytes if last else 0,
                    intake=self.intake,
                )
            )

    def enter_control(self, kind: EntryKind, reason: Reason, accepted_ms: int) -> None:
        """Numbers a boundary at the present end of the audio."""
        self._enter(
            Entry(
                self.last_seq + 1,
                kind,
                self.samples,
                accepted_ms=accepted_ms,
                reason=reason,
                intake=self.intake,
            )
        )

    def enter_clear(self, accepted_ms: int) -> bool:
        """Numbers that what is not decided is dropped; returns false if there is nothing to."""
        if not self._retained or self._retained[-1].is_clear:
            return False
        self.enter_control(EntryKind.AUDIO, Reason.END, accepted_ms)
        return True

    def enter_pause(self, accepted_ms: int) -> None:
        """Numbers a pause of the client at the present end of the audio."""
        self._enter(
            Entry(
                self.last_seq + 1,
                EntryKind.AUDIO,
                self.samples,
                accepted_ms=accepted_ms,
                reason=Reason.IDLE,
                intake=self.intake,
            )
        )

    def _enter(self, entry: Entry) -> None:
        self.last_seq = entry.seq
        self.samples = entry.end_sample
        self._retain(entry)

    def _retain(self, entry: Entry) -> None:
        self._retained.append(entry)
        if entry.kind is EntryKind.FINALIZE:
            self._boundaries.append(entry.seq)

    def advance(self, checkpoint: Checkpoint, index: int) -> bool:
        """Takes over a checkpoint once the results up to it are accepted; an older one never.

        Args:
            checkpoint: One that was committed.
            index: Last recorded result up to it.

        Returns:
            Whether the checkpoint moved.
        """
        newest, newest_index = self._ahead or (self.checkpoint, self.checkpoint_index)
        if checkpoint.seq < newest.seq or checkpoint.sample < newest.sample or index < newest_index:
            return False
        self._ahead = checkpoint, index
        return self._catch_up()

    def _catch_up(self) -> bool:
        if self._ahead is None or self._ahead[1] > self.index:
            return False
        moved = self._ahead[0] != self.checkpoint
        self.checkpoint, self.checkpoint_index = self._ahead
        self._ahead = None
        self._checkpoint_spoken = self._spoken
        while self._retained and self._retained[0].seq <= self.checkpoint.seq:
            self._checkpoint_intake = self._retained.popleft().intake
        while self._boundaries and self._boundaries[0] <= self.checkpoint.seq:
            self._boundaries.popleft()
        return moved

    def rewind(self) -> None:
        """Forgets checkpoints whose results have not come: the log has lost them."""
        self._ahead = None

    def drop(self) -> None:
        """Frees what is retained: nothing will be written any more."""
        self._retained.clear()
        self._boundaries.clear()

    def accept(self, results: Iterable[Recorded]) -> tuple[list[Recorded], bool]:
        """Sorts out recorded results as they come.

        Returns:
            Those that are next in order, and whether one before them is missing.
        """
        fresh: list[Recorded] = []
        missing = False
        for result in results:
            missing = missing or result.index > self.index + 1
            if result.index == self.index + 1:
                self.index = result.index
                fresh.append(result)
        self._spoken = spoken_until(fresh) or self._spoken
        self._catch_up()
        return fresh, missing
