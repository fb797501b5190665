"""The ledger: whatever the log and the doorbell do, nothing is lost, doubled or out of order."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scripta_common.sessionlog import Attachment, SessionOptions
from scripta_common.wire import (
    Checkpoint,
    Entry,
    EntryKind,
    Final,
    Intake,
    Reason,
    Recorded,
)
from scripta_gateway.bounds import MAX_BACKLOG_ENTRIES
from scripta_gateway.sessions.ledger import MAX_ENTRY_SAMPLES, Ledger

pytestmark = pytest.mark.unit


def final(index: int, text: str = "") -> Final:
    return Final(index, 0.0, 0.0, text, Reason.ENDPOINT)


def all_entries(ledger: Ledger) -> list[Entry]:
    return ledger.entries_after(ledger.checkpoint.seq, 10**6)


@given(
    st.lists(st.integers(0, 2 * MAX_ENTRY_SAMPLES + 7) | st.none() | st.just("pause"), max_size=12)
)
def test_entries_are_numbered_and_follow_each_other_on_the_clock(
    messages: list[int | Literal["pause"] | None],
) -> None:
    ledger, pcm = Ledger(10**9), b""
    for number, samples in enumerate(messages):
        if samples is None:
            ledger.enter_control(EntryKind.FINALIZE, Reason.IDLE, 7)
        elif samples == "pause":
            ledger.enter_pause(7)
        else:
            audio = bytes([number]) * (2 * samples)
            pcm += audio
            ledger.enter_audio(audio, 2 * samples + 1, 7)
    entries = all_entries(ledger)
    assert [entry.seq for entry in entries] == list(range(1, ledger.last_seq + 1))
    at = 0
    for entry in entries:
        assert entry.first_sample == at
        assert len(entry.pcm) <= 2 * MAX_ENTRY_SAMPLES
        at = entry.end_sample
    assert at == ledger.samples == len(pcm) // 2
    assert b"".join(entry.pcm for entry in entries) == pcm
    sizes = [entry.message_bytes for entry in entries if entry.message_bytes]
    assert sizes == [2 * samples + 1 for samples in messages if isinstance(samples, int)]
    assert sum(entry.is_pause for entry in entries) == messages.count("pause")


@pytest.mark.parametrize(
    ("samples", "entries"),
    [
        (0, 1),
        (1, 1),
        (MAX_ENTRY_SAMPLES, 1),
        (MAX_ENTRY_SAMPLES + 1, 2),
        (3 * MAX_ENTRY_SAMPLES, 3),
    ],
)
def test_message_completes_with_its_last_entry(samples: int, entries: int) -> None:
    ledger = Ledger(10**9)
    ledger.enter_audio(bytes(2 * samples), 99, 7)
    sizes = [entry.message_bytes for entry in all_entries(ledger)]
    assert sizes == [0] * (entries - 1) + [99]


def test_audio_that_no_message_completes_has_no_size() -> None:
    ledger = Ledger(10**9)
    ledger.enter_audio(b"ab", 0, 7)
    assert [entry.message_bytes for entry in all_entries(ledger)] == [0]


@given(st.lists(st.integers(1, 2 * MAX_ENTRY_SAMPLES), min_size=1, max_size=5), st.data())
def test_a_message_in_slices_is_skipped_where_the_log_has_it(
    slices: list[int], data: st.DataObject
) -> None:
    """A gateway that dies in mid-message must not leave its first seconds in the log twice."""
    pcm = bytes(range(251)) * (2 * sum(slices) // 251 + 1)
    have = data.draw(st.integers(0, sum(slices)))
    ledger, at = Ledger(10**9), 0
    ledger.intake = Intake(messages=4, partial=have)
    for number, samples in enumerate(slices, 1):
        more = number < len(slices)
        piece = pcm[2 * at : 2 * (at + samples)]
        ledger.enter_audio(piece, 0 if more else 99, 7, at_rest=False, more=more)
        at += samples
        if more:
            assert ledger.intake == Intake(4, max(have, at))
    assert b"".join(entry.pcm for entry in all_entries(ledger)) == pcm[2 * have : 2 * at]
    assert [entry.message_bytes for entry in all_entries(ledger)][-1] == 99
    assert ledger.intake == Intake(5, 0, at_rest=False)
    ledger.enter_audio(b"ab", 2, 7)
    assert all_entries(ledger)[-1].pcm == b"ab"


def test_a_message_that_fails_in_its_middle_is_not_taken_in_and_the_next_is_whole() -> None:
    ledger = Ledger(10**9)
    ledger.enter_audio(b"abcd", 0, 7, more=True)
    ledger.enter_audio(b"", 0, 7)
    ledger.enter_audio(b"efgh", 9, 7)
    assert [entry.pcm for entry in all_entries(ledger)] == [b"abcd", b"", b"efgh"]
    assert ledger.intake == Intake(messages=1)


def test_there_is_room_up_to_the_bound_behind_the_checkpoint() -> None:
    ledger = Ledger(max_backlog_samples=250)
    for _ in range(3):
        ledger.enter_audio(bytes(200), 200, 7)
    first, second, third = all_entries(ledger)
    assert ledger.has_room(first)
    assert ledger.has_room(second)
    assert not ledger.has_room(third)
    ledger.advance(Checkpoint(50, 0), 0)
    assert ledger.has_room(third)


def test_tiny_messages_are_bounded_by_their_number() -> None:
    ledger = Ledger(10**9)
    for _ in range(MAX_BACKLOG_ENTRIES + 1):
        ledger.enter_audio(b"", 1, 7)
    entries = all_entries(ledger)
    assert ledger.has_room(entries[-2])
    assert not ledger.has_room(entries[-1])
    ledger.advance(Checkpoint(0, 1), 0)
    assert ledger.has_room(entries[-1])


def test_entries_behind_the_checkpoint_are_not_kept() -> None:
    ledger = Ledger(10**9)
    for _ in range(3):
        ledger.enter_audio(b"ab", 2, 7)
    assert ledger.advance(Checkpoint(2, 2), 0)
    assert [entry.seq for entry in all_entries(ledger)] == [3]
    with pytest.raises(LookupError):
        ledger.entries_after(1, 1)
    assert ledger.outstanding
    assert ledger.advance(Checkpoint(3, 3), 0)
    assert not ledger.outstanding
    assert ledger.entries_after(3, 1) == []


def test_older_checkpoint_is_ignored() -> None:
    ledger = Ledger(10**9)
    for _ in range(3):
        ledger.enter_audio(b"ab", 2, 7)
    ledger.accept([final(1)])
    assert ledger.advance(Checkpoint(2, 2), 1)
    for old in (Checkpoint(1, 1), Checkpoint(1, 2), Checkpoint(2, 1)):
        assert not ledger.advance(old, 1)
    assert not ledger.advance(Checkpoint(2, 2), 1)
    assert ledger.checkpoint == Checkpoint(2, 2)


def test_checkpoint_waits_for_the_results_up_to_it() -> None:
    """If the broker lost them now, only their audio could bring them back."""
    ledger = Ledger(10**9)
    for _ in range(4):
        ledger.enter_audio(b"ab", 2, 7)
    assert not ledger.advance(Checkpoint(3, 3), 2)
    assert [entry.seq for entry in all_entries(ledger)] == [1, 2, 3, 4]
    ledger.accept([final(1)])
    assert (ledger.checkpoint, ledger.checkpoint_index) == (Checkpoint(), 0)
    ledger.accept([final(2)])
    assert (ledger.checkpoint, ledger.checkpoint_index) == (Checkpoint(3, 3), 2)
    ledger.accept([final(3)])
    assert ledger.checkpoint_index == 2


def test_results_come_out_once_and_in_order() -> None:
    ledger = Ledger(10**9)
    assert ledger.accept([final(1), final(2)]) == ([final(1), final(2)], False)
    assert ledger.accept([final(2), final(3)]) == ([final(3)], False)
    assert ledger.accept([final(5)]) == ([], True)
    assert ledger.accept([final(4), final(5), final(7)]) == ([final(4), final(5)], True)


def test_session_that_came_back_remembers_what_was_taken_in_when_the_log_is_lost() -> None:
    """The entries in the log do not say it, and the client would send all of it again."""
    attachment = Attachment(
        former_gateway="gw",
        connection=2,
        status="open",
        options=SessionOptions(),
        seq=3,
        samples=3,
        intake=Intake(messages=3),
        checkpoint=Checkpoint(1, 1),
        index=1,
    )
    retained = [Entry(seq, EntryKind.AUDIO, seq - 1, b"ab", 7, 2) for seq in (2, 3)]
    ledger = Ledger.resumed(10**9, attachment, retained, 1)
    assert [entry.intake for entry in all_entries(ledger)] == [Intake(messages=3)] * 2
    ledger.advance(Checkpoint(3, 3), 1)
    assert ledger.standing(2).intake == Intake(messages=3)
    ledger.enter_audio(b"ab", 2, 7)
    assert ledger.intake == Intake(messages=4)


class GatewayAndLog(RuleBasedStateMachine):
    """A ledger, the log that it fills, and everything that can come between the two.

    Every entry that is not silent yields one final that says its number. Rings are lost,
    repeated and late; the log forgets everything at any moment and is restored.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(10**9)
        self.delivered: list[str] = []
        self.rings: list[tuple[Checkpoint, int, list[Recorded]]] = []

    @initialize()
    def open(self) -> None:
        self.restore_at(Checkpoint(), 0)

    def restore_at(self, checkpoint: Checkpoint, index: int) -> None:
        self.log: list[Entry] = []
        self.log_seq = checkpoint.seq
        self.committed, self.committed_index = checkpoint, index
        self.results: list[Recorded] = []

    @rule(samples=st.integers(0, 3))
    def speak(self, samples: int) -> None:
        self.ledger.enter_audio(bytes(2 * samples), 1, 7)

    @rule(count=st.integers(1, 4))
    def flush(self, count: int) -> None:
        try:
            entries = self.ledger.entries_after(self.log_seq, count)
        except LookupError:  # a late ring says that what is missing was decided already
            self.lose_everything()
            return
        for entry in entries:
            assert entry.seq == self.log_seq + 1
            self.log.append(entry)
            self.log_seq = entry.seq

    @precondition(lambda self: self.log)
    @rule(count=st.integers(1, 3))
    def commit(self, count: int) -> None:
        fresh: list[Recorded] = []
        for entry in self.log[:count]:
            if not silent(entry.seq):
                self.committed_index += 1
                fresh.append(final(self.committed_index, str(entry.seq)))
            self.committed = Checkpoint(entry.end_sample, entry.seq)
        del self.log[:count]
        self.results += fresh
        self.rings.append((self.committed, self.committed_index, fresh))

    @precondition(lambda self: self.rings)
    @rule(data=st.data(), again=st.booleans())
    def ring(self, data: st.DataObject, again: bool) -> None:
        at = data.draw(st.integers(0, len(self.rings) - 1))
        checkpoint, index, results = self.rings[at]
        if not again:
            del self.rings[at]
        self.take(results)
        self.ledger.advance(checkpoint, index)

    @precondition(lambda self: self.rings)
    @rule()
    def lose_a_ring(self) -> None:
        self.rings.pop()

    @rule(page=st.integers(1, 3))
    def read(self, page: int) -> None:
        later = [result for result in self.results if result.index > self.ledger.index]
        self.take(later[:page])

    @rule()
    def poll(self) -> None:
        self.ledger.advance(self.committed, self.committed_index)

    @rule()
    def lose_everything(self) -> None:
        self.ledger.rewind()
        self.restore_at(self.ledger.checkpoint, self.ledger.checkpoint_index)

    def take(self, results: list[Recorded]) -> None:
        fresh, _ = self.ledger.accept(results)
        self.delivered += [result.text for result in fresh if isinstance(result, Final)]

    @invariant()
    def everything_is_delivered_once_and_in_order(self) -> None:
        assert self.delivered == expected(self.ledger.last_seq)[: len(self.delivered)]

    @invariant()
    def what_is_retained_is_what_is_behind_the_checkpoint(self) -> None:
        assert [entry.seq for entry in all_entries(self.ledger)] == list(
            range(self.ledger.checkpoint.seq + 1, self.ledger.last_seq + 1)
        )

    def teardown(self) -> None:
        """From wherever it is, a broker that works brings all that is owed."""
        self.lose_everything()
        while self.ledger.entries_after(self.log_seq, 1):
            self.flush(4)
        while self.log:
            self.commit(3)
        self.read(10**6)
        self.poll()
        assert self.delivered == expected(self.ledger.last_seq)
        assert not self.ledger.outstanding


def silent(seq: int) -> bool:
    return seq % 3 == 0


def expected(last: int) -> list[str]:
    return [str(seq) for seq in range(1, last + 1) if not silent(seq)]


TestGatewayAndLog = GatewayAndLog.TestCase
TestGatewayAndLog.settings = settings(
    max_examples=80,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
