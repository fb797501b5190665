"""What a session at the gateway and its log owe each other: pure, no I/O, no clock.

Decides over the ledger what is written next: the session itself before its first entry, then the
entries that the log lacks, or all that is kept if the log has lost it. It decides, too, whether
results have to be read from the log. The shell makes the calls and says what came of them. It may
make a call again, or answer late, as long as only one write is under way.

Always true: nothing is written that the ledger does not hold, and the log is taken to have an
entry only while it says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scripta_common.errors import SessionLost, Superseded
from scripta_common.sessionlog import AppendOutcome, Progress, Standing
from scripta_common.wire import (
    SAMPLE_RATE,
    Checkpoint,
    Ended,
    Entry,
    Failed,
    Interim,
    Recorded,
    Ring,
    Speech,
)
from scripta_gateway.bounds import (
    MAX_APPEND_BYTES,
    MAX_APPEND_ENTRIES,
    MAX_UNANSWERED,
    MAX_UNWRITTEN_SECONDS,
)
from scripta_gateway.sessions.ledger import Ledger

_UNSERVED_POLLS = 2
"""Polls in a row by which a session is in no line: more than a claim can take."""

TAKEN_OVER = "Another connection has taken this session over."


@dataclass(frozen=True, slots=True)
class Join:
    """Open the session in the log and put it in line: there is something to be heard."""


@dataclass(frozen=True, slots=True)
class Append:
    """Put entries into the log, all or none of them."""

    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Restore:
    """Write the session anew: the log has lost it, or a part that can not be filled."""

    standing: Standing


@dataclass(frozen=True, slots=True)
class AwaitRoom:
    """Wait until the checkpoint has moved: the next entry is too far ahead of it."""


Write = Join | Append | Restore | AwaitRoom


@dataclass(frozen=True, slots=True)
class News:
    """What hearing of the log came to.

    Attributes:
        fresh: Results to deliver, each for the first time and in order.
        moved: Whether the session has moved on, so that there may be room again.
    """

    fresh: Sequence[Recorded] = ()
    moved: bool = False


class Exchange:
    """One session's side of the exchange with its log.

    Args:
        ledger: The session's books.
        connection: Number of the connection that writes.
        logged: Last entry that the log has.
        joined: Whether the log has the session.

    Attributes:
        ledger: The session's books.
        connection: Number of the connection that writes.
        logged: Last entry that the log is known to have.
        joined: Whether the session has been opened in the log and put in line.
        behind: Whether the log has, or may have, results that did not come with a ring.
        lost: Whether the log has lost the session, or a part of its results, and it has to be
            written anew.
        over: Whether the last result is here.
    """

    def __init__(
        self, ledger: Ledger, *, connection: int = 1, logged: int = 0, joined: bool = False
    ) -> None:
        self.ledger = ledger
        self.connection = connection
        self.logged = logged
        self.joined = joined
        self.behind = False
        self.lost = False
        self.over = False
        self._unserved_polls = 0

    @property
    def unwritten(self) -> bool:
        """Whether the log lacks something that the ledger holds."""
        return not self.over and (self.lost or self.logged < self.ledger.last_seq)

    @property
    def too_far_ahead(self) -> bool:
        """Whether so much is entered and not written that no more may be entered now."""
        waiting = self.ledger.last_seq - self.logged
        if self.over or waiting <= 0:
            return False
        samples = self.ledger.samples_after(self.logged)
        return waiting >= MAX_UNANSWERED or samples >= MAX_UNWRITTEN_SECONDS * SAMPLE_RATE

    def next_write(self) -> Write | None:
        """Returns what to do for the log to have everything; ``None`` if nothing is left.

        Raises:
            SessionLost: What is kept is not enough to write the session anew.
        """
        if self.over:
            return None
        if not self.joined:
            return Join() if self.ledger.last_seq else None
        if self.lost:
            return self._anew()
        try:
            unwritten = self.ledger.entries_after(self.logged, MAX_APPEND_ENTRIES)
        except LookupError:
            return self._anew()
        if not unwritten:
            return None
        entries = self._one_call(unwritten)
        return Append(entries) if entries else AwaitRoom()

    def _one_call(self, unwritten: Sequence[Entry]) -> Sequence[Entry]:
        """Returns those that there is room for in the backlog and in one call."""
        entries: list[Entry] = []
        size = 0
        for entry in unwritten:
            size += len(entry.pcm)
            if (entries and size > MAX_APPEND_BYTES) or not self.ledger.has_room(entry):
                break
            entries.append(entry)
        return entries

    def end_unheard(self) -> News:
        """Ends a stream without anything to be heard: the log need not know of it.

        Raises:
            RuntimeError: There is something to be heard.
        """
        if self.ledger.last_seq:
            raise RuntimeError(f"stream of {self.ledger.last_seq} entries ended unheard")
        return News(self._accept([Ended(1, 0.0)]))

    def appended(self, write: Append, outcome: AppendOutcome, last: int) -> bool:
        """Takes the answer to an append.

        Args:
            write: What was to be appended.
            outcome: What became of it.
            last: Last entry that the log has.

        Returns:
            Whether to go on; otherwise the session is over and its results say how.

        Raises:
            Superseded: Another connection has the session.
        """
        match outcome:
            case AppendOutcome.OK | AppendOutcome.DUPLICATE:
                self.logged = write.entries[-1].seq
            case AppendOutcome.GAP:
                self.logged = last
            case AppendOutcome.LOST:
                self.lost = True
            case AppendOutcome.OVER:
                self.behind = True
                return False
            case AppendOutcome.SUPERSEDED:
                raise Superseded(TAKEN_OVER)
        return True

    def restored(self, write: Restore, ours: bool) -> None:
        """Takes the answer to a restore.

        Args:
            write: What was to be written.
            ours: Whether it is still this connection's to restore.

        Raises:
            Superseded: It is not.
        """
        if not ours:
            raise Superseded(TAKEN_OVER)
        self.logged = write.standing.checkpoint.seq
        self.lost = False

    def ring(self, ring: Ring, *, room: bool = True) -> News:
        """Takes a committed doorbell message.

        Args:
            ring: The message.
            room: Whether results can be taken now; otherwise they are left to be read.
        """
        fresh: list[Recorded] = []
        if room:
            fresh = self._accept(r for r in ring.results if not isinstance(r, Interim | Speech))
        elif ring.results:
            self.behind = True
        checkpoint = Checkpoint(
            ring.checkpoint_sample, ring.checkpoint_seq, ring.checkpoint_speaking
        )
        moved = self._advance(checkpoint, ring.index)
        return News(fresh, moved or bool(fresh))

    def polled(self, progress: Progress | None, confirmed: int = 0) -> News:
        """Takes how far the session is by its state; ``None``: the log does not know it.

        Args:
            progress: The answer.
            confirmed: Last entry that the log was known to have before it was asked.

        Raises:
            Superseded: Another connection has the session, and its notice did not come.
        """
        if progress is not None and progress.connection > self.connection:
            raise Superseded(TAKEN_OVER)
        if progress is None or progress.connection < self.connection:
            # Forgotten, or back at a moment before this connection took it over.
            self.lost = True
            return News(moved=True)
        lost = progress.seq < confirmed  # its last moments
        if lost:
            self.logged = min(self.logged, progress.seq)
        # Who waits for room waits for what nobody can have until it is written again.
        return News(moved=self._advance(progress.checkpoint, progress.index) or lost)

    def looked_in_line(self, served: bool) -> bool:
        """Takes whether a session that is owed results can count on the line for a transcriber.

        Returns:
            Whether to put it in line again: its place there is lost.
        """
        self._unserved_polls = 0 if served else self._unserved_polls + 1
        if self._unserved_polls < _UNSERVED_POLLS:
            return False
        self._unserved_polls = 0
        return True

    def next_read(self) -> int:
        """Returns the index behind which to read results; whatever rings meanwhile is noted."""
        self.behind = False
        return self.ledger.index

    def read(self, results: Sequence[Recorded] | None) -> News:
        """Takes the results that a read brought, some of all there are; ``None``: it failed."""
        if results is None:
            self.behind = True
            return News()
        if not results:
            return News()
        self.behind = True  # a read is bounded: there may be more
        missing = results[0].index > self.ledger.index + 1
        fresh = self._accept(results)
        # The audio of those that are missing is still here.
        self.lost = self.lost or missing
        return News(fresh, missing or bool(fresh))

    def _anew(self) -> Restore:
        self.ledger.rewind()
        try:
            return Restore(self.ledger.standing(self.connection))
        except LookupError:
            raise SessionLost("The broker has lost results of this session.") from None

    def _advance(self, checkpoint: Checkpoint, index: int) -> bool:
        if index > self.ledger.index:
            self.behind = True
        return self.ledger.advance(checkpoint, index)

    def _accept(self, results: Iterable[Recorded]) -> list[Recorded]:
        fresh, missing = self.ledger.accept(results)
        self.behind = self.behind or missing
        if fresh:
            self.over = isinstance(fresh[-1], Ended | Failed)
            if isinstance(fresh[-1], Ended):
                # The log has had all of it, even if the answer to the last append is on its way.
                self.logged = self.ledger.last_seq
        return fresh
