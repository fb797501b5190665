"""Taking over a session that another connection began: pure, no I/O, no clock.

Gathers the entries that the log has behind the checkpoint. The session goes on being transcribed
meanwhile, so that the log may drop entries before they are read: then its state says how far it
has come, and the rest is gathered from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scripta_common.sessionlog import Attachment, NotResumable, Progress
from scripta_common.wire import Entry


class Takeover:
    """Gathers what the new connection has to keep.

    Drive it so: read behind ``next_read`` until that is ``None``; whenever ``read`` finds entries
    missing, say what a poll says.

    Attributes:
        attachment: Where the session stands; its checkpoint is that of the entries.
        entries: Those behind the checkpoint, without a gap.
    """

    def __init__(self, attachment: Attachment) -> None:
        self.attachment = attachment
        self.entries: list[Entry] = []

    def next_read(self) -> int | None:
        """Returns the entry to read behind; ``None`` when all are here."""
        last = self._last
        return last if last < self.attachment.seq else None

    def read(self, entries: Sequence[Entry]) -> bool:
        """Takes what the log has behind ``next_read``; returns whether it is what follows."""
        if not entries or entries[0].seq != self._last + 1:
            return False
        self.entries += entries
        return True

    def polled(self, progress: Progress | None) -> None:
        """Takes how far the session is, after a read that found entries missing.

        Raises:
            NotResumable: They are not missing because they are decided: the log has lost them.
        """
        at = self.attachment.checkpoint
        seq = self.attachment.seq
        if progress is None or progress.seq < seq or progress.checkpoint.seq <= at.seq:
            raise NotResumable("unknown")
        self.attachment = replace(
            self.attachment, checkpoint=progress.checkpoint, index=progress.index
        )
        self.entries = [entry for entry in self.entries if entry.seq > progress.checkpoint.seq]

    @property
    def _last(self) -> int:
        return self.entries[-1].seq if self.entries else self.attachment.checkpoint.seq
