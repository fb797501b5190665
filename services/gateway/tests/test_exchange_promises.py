"""Appends of many entries: over any order of calls, answers and losses the log gets all of them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scripta_common.errors import Superseded
from scripta_common.sessionlog import AppendOutcome, Progress
from scripta_common.wire import Checkpoint, Entry, EntryKind, Reason, Ring
from scripta_gateway.sessions.exchange import Append, AwaitRoom, Exchange, Restore, Write
from scripta_gateway.sessions.ledger import Ledger

pytestmark = pytest.mark.unit

BACKLOG = 6
"""Samples: few enough to be reached."""

Answer = tuple[AppendOutcome, int] | bool


class Log:
    """The session log as its scripts are: what a call carries is there as a whole, or not at all.

    Attributes:
        entries: What it has behind the checkpoint, by number.
        seq: Last entry.
        connection: Newest connection; 0 while the session is not there.
    """

    def __init__(self) -> None:
        self.restore(Checkpoint(), 1)

    def restore(self, checkpoint: Checkpoint, connection: int) -> None:
        self.entries: dict[int, Entry] = {}
        self.checkpoint = checkpoint
        self.seq = checkpoint.seq
        self.connection = connection

    def append(self, entries: list[Entry], connection: int) -> tuple[AppendOutcome, int]:
        if not self.connection:
            return AppendOutcome.LOST, 0
        if self.connection > connection:
            return AppendOutcome.SUPERSEDED, self.seq
        if entries[-1].seq <= self.seq:
            return AppendOutcome.DUPLICATE, self.seq
        if entries[0].seq > self.seq + 1:
            return AppendOutcome.GAP, self.seq
        for entry in entries:
            if entry.seq > self.seq:
                self.entries[entry.seq] = entry
        self.seq = entries[-1].seq
        return AppendOutcome.OK, self.seq


class GatewayAndLog(RuleBasedStateMachine):
    """One connection's exchange, the log, and all that can come between the two."""

    def __init__(self) -> None:
        super().__init__()
        self.exchange = Exchange(Ledger(BACKLOG), joined=True)
        self.log = Log()
        self.entered: dict[int, Entry] = {}
        self.write: Write | None = None
        self.answer: Answer | None = None
        self.over = False

    @rule(messages=st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=4))
    def speak(self, messages: list[tuple[int, bool]]) -> None:
        for samples, more in messages:
            last = self.ledger.last_seq
            self.ledger.enter_audio(bytes(2 * samples), 0 if more else 1, 7, more=more)
            self._note(last)

    @rule()
    def finalize(self) -> None:
        last = self.ledger.last_seq
        self.ledger.enter_control(EntryKind.FINALIZE, Reason.FINALIZE, 7)
        self._note(last)

    @precondition(lambda self: not self.over)
    @rule()
    def decide(self) -> None:
        if self.write is None:
            self.write = self.exchange.next_write()
            if isinstance(self.write, AwaitRoom):
                self.write = None

    @precondition(lambda self: self.write is not None)
    @rule()
    def call(self) -> None:
        """May come again: the answer to the call before was lost."""
        match self.write:
            case Append(entries):
                self.answer = self.log.append(list(entries), self.exchange.connection)
            case Restore(standing):
                ours = self.log.connection <= standing.connection
                if ours:
                    self.log.restore(standing.checkpoint, standing.connection)
                self.answer = ours

    @precondition(lambda self: self.answer is not None)
    @rule()
    def hear(self) -> None:
        write, answer = self.write, self.answer
        self.write = self.answer = None
        try:
            if isinstance(write, Append):
                assert isinstance(answer, tuple)
                self.exchange.appended(write, *answer)
            elif isinstance(write, Restore):
                assert isinstance(answer, bool)
                self.exchange.restored(write, answer)
        except Superseded:
            assert self.log.connection > self.exchange.connection
            self.over = True

    @precondition(lambda self: not self.over)
    @rule(steps=st.integers(1, 3))
    def flush(self, steps: int) -> None:
        """All three, without anything in between."""
        for _ in range(steps):
            self.decide()
            if self.write is None:
                return
            self.call()
            self.hear()

    @rule()
    def interrupt(self) -> None:
        """Whoever wrote is gone; whether its call arrived is not known."""
        self.write = self.answer = None

    @rule(count=st.integers(1, 3))
    def transcribe(self, count: int) -> None:
        """Commits, and rings; nothing of this yields results."""
        last = min(self.log.seq, self.log.checkpoint.seq + count)
        if last > self.log.checkpoint.seq:
            self.log.checkpoint = Checkpoint(self.entered[last].end_sample, last)
            for seq in [seq for seq in self.log.entries if seq <= last]:
                del self.log.entries[seq]
            self.exchange.ring(Ring("s", self.log.checkpoint.sample, last, 0, ()))

    @rule(count=st.integers(1, 5))
    def lose_the_end(self, count: int) -> None:
        for _ in range(count):
            if self.log.entries:
                del self.log.entries[self.log.seq]
                self.log.seq -= 1

    @rule()
    def lose_all(self) -> None:
        if self.log.connection <= self.exchange.connection:
            self.log.restore(Checkpoint(), 0)

    @rule()
    def poll(self) -> None:
        progress = Progress(
            False, self.log.seq, self.log.checkpoint, 0, 1, connection=self.log.connection
        )
        if self.log.connection <= self.exchange.connection:
            self.exchange.polled(progress if self.log.connection else None, self.exchange.logged)

    @precondition(lambda self: self.log.connection)
    @rule()
    def supersede(self) -> None:
        if self.ledger.last_seq > 20:  # late, or there is nothing left to see
            self.log.connection = self.exchange.connection + 1

    @property
    def ledger(self) -> Ledger:
        return self.exchange.ledger

    def _note(self, last: int) -> None:
        for entry in self.ledger.entries_after(last, 100):
            self.entered[entry.seq] = entry

    @invariant()
    def log_has_what_was_entered_without_a_gap(self) -> None:
        expected = range(self.log.checkpoint.seq + 1, self.log.seq + 1)
        assert sorted(self.log.entries) == list(expected)
        for seq, entry in self.log.entries.items():
            assert entry == self.entered[seq]

    @invariant()
    def room_is_kept(self) -> None:
        for entry in self.log.entries.values():
            assert entry.end_sample - self.ledger.checkpoint.sample <= BACKLOG

    def teardown(self) -> None:
        """With a log and a transcriber that work, all of it gets there."""
        if self.over or self.log.connection > self.exchange.connection:
            return
        self.interrupt()
        self.poll()  # only that tells of a loss behind which nothing is written
        for _ in range(10 * (self.ledger.last_seq + 2)):
            self.decide()
            if self.write is None and not self.exchange.unwritten:
                break
            if self.write is not None:
                self.call()
                self.hear()
            self.transcribe(3)
        assert self.log.seq == self.exchange.logged == self.ledger.last_seq


TestGatewayAndLog = GatewayAndLog.TestCase
TestGatewayAndLog.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
