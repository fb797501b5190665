"""What is written to the log next, whatever it answers; what is delivered, whatever is heard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripta_common.errors import SessionLost, Superseded
from scripta_common.sessionlog import AppendOutcome, Attachment, Progress, SessionOptions
from scripta_common.wire import (
    SAMPLE_RATE,
    Checkpoint,
    Ended,
    Entry,
    EntryKind,
    Final,
    Intake,
    Reason,
    Ring,
)
from scripta_gateway.bounds import MAX_APPEND_BYTES, MAX_APPEND_ENTRIES
from scripta_gateway.sessions.exchange import Append, AwaitRoom, Exchange, Restore
from scripta_gateway.sessions.ledger import Ledger

pytestmark = pytest.mark.unit


def final(index: int) -> Final:
    return Final(index, 0.0, 0.0, "", Reason.ENDPOINT)


def exchange_of(messages: int, max_backlog: int = 10**9) -> Exchange:
    exchange = Exchange(Ledger(max_backlog), joined=True)
    for _ in range(messages):
        exchange.ledger.enter_audio(b"ab", 2, 7)
    return exchange


def next_append(exchange: Exchange) -> Append:
    write = exchange.next_write()
    assert isinstance(write, Append)
    return write


def numbers(write: Append) -> list[int]:
    return [entry.seq for entry in write.entries]


def answer(exchange: Exchange, outcome: AppendOutcome, last: int = 0) -> bool:
    return exchange.appended(next_append(exchange), outcome, last)


def write_all(exchange: Exchange) -> None:
    while exchange.next_write() is not None:
        assert answer(exchange, AppendOutcome.OK)


def progress(seq: int, checkpoint: int = 0, index: int = 0, *, over: bool = False) -> Progress:
    return Progress(over, seq, Checkpoint(checkpoint, checkpoint), index, epoch=1)


def ring(*results: Final | Ended, checkpoint: int = 0, index: int | None = None) -> Ring:
    last = results[-1].index if results else 0
    return Ring("s", checkpoint, checkpoint, last if index is None else index, results)


def test_all_entries_that_wait_are_appended_in_one_call() -> None:
    exchange = exchange_of(3)
    write = next_append(exchange)
    assert numbers(write) == [1, 2, 3]
    exchange.ledger.enter_audio(b"ab", 2, 7)  # while the call is under way
    assert exchange.unwritten
    assert exchange.appended(write, AppendOutcome.OK, 3)
    assert numbers(next_append(exchange)) == [4]
    assert answer(exchange, AppendOutcome.OK, 4)
    assert exchange.next_write() is None
    assert not exchange.unwritten


def test_one_call_is_bounded_in_entries_and_bytes() -> None:
    exchange = exchange_of(MAX_APPEND_ENTRIES + 1)
    assert len(next_append(exchange).entries) == MAX_APPEND_ENTRIES
    exchange = Exchange(Ledger(10**9), joined=True)
    exchange.ledger.enter_audio(bytes(2 * 20 * SAMPLE_RATE), 1, 7)
    sizes = [len(entry.pcm) for entry in next_append(exchange).entries]
    assert sum(sizes) <= MAX_APPEND_BYTES < sum(sizes) + sizes[0]


def test_repeated_append_is_as_good_as_the_first() -> None:
    exchange = exchange_of(2)
    write = next_append(exchange)
    exchange.ledger.enter_audio(b"ab", 2, 7)
    assert exchange.appended(write, AppendOutcome.DUPLICATE, 2)
    assert numbers(next_append(exchange)) == [3]


def test_entries_that_the_log_has_lost_are_appended_again() -> None:
    exchange = exchange_of(3)
    assert answer(exchange, AppendOutcome.OK, 3)
    exchange.ledger.enter_audio(b"ab", 2, 7)
    assert answer(exchange, AppendOutcome.GAP, 1)
    assert numbers(next_append(exchange)) == [2, 3, 4]


def test_session_that_the_log_has_lost_is_written_anew_from_the_checkpoint() -> None:
    exchange = exchange_of(3)
    write_all(exchange)
    exchange.ring(ring(final(1), checkpoint=2))
    exchange.ledger.enter_audio(b"ab", 2, 7)
    assert answer(exchange, AppendOutcome.LOST)
    write = exchange.next_write()
    assert isinstance(write, Restore)
    assert (write.standing.checkpoint, write.standing.index) == (Checkpoint(2, 2), 1)
    assert exchange.next_write() == write  # it is asked for again: the call may have failed
    exchange.restored(write, True)
    assert not exchange.lost
    assert numbers(next_append(exchange)) == [3, 4]


def test_hole_behind_the_checkpoint_is_closed_by_writing_all_anew() -> None:
    exchange = exchange_of(3)
    write_all(exchange)
    exchange.ring(ring(final(1), checkpoint=2))
    exchange.ledger.enter_audio(b"ab", 2, 7)
    assert answer(exchange, AppendOutcome.GAP, 1)
    assert isinstance(exchange.next_write(), Restore)


def test_session_is_lost_when_neither_the_log_nor_the_client_has_its_results() -> None:
    attachment = Attachment(
        former_gateway="gw",
        connection=2,
        status="open",
        options=SessionOptions(),
        seq=3,
        samples=3,
        intake=Intake(3),
        checkpoint=Checkpoint(2, 2),
        index=2,
    )
    retained = [Entry(3, EntryKind.AUDIO, 2, b"ab", 7, 2)]
    ledger = Ledger.resumed(10**9, attachment, retained, 1)
    exchange = Exchange(ledger, connection=2, logged=3, joined=True)
    assert exchange.polled(None, 3).moved
    with pytest.raises(SessionLost):
        exchange.next_write()


def test_entry_without_room_waits_for_the_checkpoint() -> None:
    exchange = exchange_of(4, max_backlog=2)
    assert numbers(next_append(exchange)) == [1, 2]
    assert answer(exchange, AppendOutcome.OK)
    assert exchange.next_write() == AwaitRoom()
    assert exchange.ring(ring(final(1), checkpoint=1)).moved
    assert numbers(next_append(exchange)) == [3]


def test_end_in_the_results_says_that_the_log_has_all() -> None:
    """A ring may be here before the answer to the append that it follows."""
    exchange = exchange_of(2)
    exchange.ring(ring(final(1), Ended(2, 0.0), checkpoint=2))
    assert exchange.logged == 2


def test_session_that_is_over_in_the_log_tells_how_by_its_results() -> None:
    exchange = exchange_of(1)
    assert not answer(exchange, AppendOutcome.OVER)
    assert exchange.behind
    news = exchange.read([Ended(1, 0.0)])
    assert news.fresh == [Ended(1, 0.0)]
    assert exchange.over
    assert exchange.next_write() is None
    assert not exchange.unwritten


def test_other_connection_ends_this_one() -> None:
    exchange = exchange_of(1)
    with pytest.raises(Superseded):
        answer(exchange, AppendOutcome.SUPERSEDED)
    exchange.polled(None, 0)
    write = exchange.next_write()
    assert isinstance(write, Restore)
    with pytest.raises(Superseded):
        exchange.restored(write, False)


def test_results_by_the_doorbell_are_delivered_once() -> None:
    exchange = exchange_of(2)
    assert exchange.ring(ring(final(1), checkpoint=1)).fresh == [final(1)]
    assert exchange.ring(ring(final(1), checkpoint=1)).fresh == []
    assert not exchange.behind


def test_missed_ring_is_read_up() -> None:
    exchange = exchange_of(3)
    assert exchange.ring(ring(final(2), checkpoint=2)).fresh == []
    assert exchange.behind
    assert exchange.next_read() == 0
    assert exchange.read([final(1), final(2)]).fresh == [final(1), final(2)]
    assert exchange.ledger.checkpoint == Checkpoint(2, 2)
    assert exchange.behind  # there may be more
    exchange.next_read()
    exchange.read([])
    assert not exchange.behind


def test_ring_during_a_read_is_not_forgotten() -> None:
    exchange = exchange_of(3)
    exchange.behind = True
    exchange.next_read()
    exchange.ring(ring(final(2), checkpoint=2))
    exchange.read([])
    assert exchange.behind


def test_read_that_failed_is_made_again() -> None:
    exchange = exchange_of(1)
    exchange.behind = True
    exchange.next_read()
    exchange.read(None)
    assert exchange.behind


def test_results_there_is_no_room_for_are_left_in_the_log() -> None:
    exchange = exchange_of(2)
    news = exchange.ring(ring(final(1), checkpoint=1), room=False)
    assert news.fresh == []
    assert exchange.behind
    assert exchange.read([final(1)]).fresh == [final(1)]


def test_results_that_the_log_has_lost_come_again_from_their_audio() -> None:
    exchange = exchange_of(3)
    write_all(exchange)
    news = exchange.read([final(2)])
    assert news.fresh == []
    assert exchange.lost
    assert exchange.unwritten
    assert isinstance(exchange.next_write(), Restore)


def test_poll_finds_out_about_results_and_checkpoint() -> None:
    exchange = exchange_of(2)
    write_all(exchange)
    assert not exchange.polled(progress(2, checkpoint=1, index=1), 2).moved
    assert exchange.behind
    exchange.read([final(1)])
    assert exchange.ledger.checkpoint == Checkpoint(1, 1)


def test_poll_finds_out_that_the_log_has_lost_its_last_moments() -> None:
    exchange = exchange_of(3)
    write_all(exchange)
    assert exchange.polled(progress(1), 3).moved  # who waits for room has something to write
    assert exchange.unwritten
    assert numbers(next_append(exchange)) == [2, 3]


def test_old_answer_to_a_poll_is_no_loss() -> None:
    exchange = exchange_of(1)
    write_all(exchange)
    confirmed = exchange.logged
    exchange.ledger.enter_audio(b"ab" * 2, 2, 7)
    write_all(exchange)
    exchange.polled(progress(1), confirmed)
    assert not exchange.unwritten


def test_session_is_put_in_line_again_at_the_second_look_that_misses_it() -> None:
    exchange = exchange_of(1)
    looks = [exchange.looked_in_line(served) for served in (False, True, False, False, False)]
    assert looks == [False, False, False, True, False]


def test_poll_finds_out_that_another_connection_has_the_session() -> None:
    """Its notice is one message by pub/sub, and may be lost."""
    exchange = exchange_of(1)
    with pytest.raises(Superseded):
        exchange.polled(replace(progress(0), connection=exchange.connection + 1))
    assert not exchange.lost
