"""Taking over a session: what the log has of it is gathered whole, while it goes on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripta_common.sessionlog import Attachment, NotResumable, Progress, SessionOptions
from scripta_common.wire import Checkpoint, Entry, EntryKind, Intake
from scripta_gateway.sessions.takeover import Takeover

pytestmark = pytest.mark.unit


def attached(seq: int, checkpoint: int = 0) -> Takeover:
    return Takeover(
        Attachment(
            former_gateway="gw",
            connection=2,
            status="open",
            options=SessionOptions(),
            seq=seq,
            samples=seq,
            intake=Intake(seq),
            checkpoint=Checkpoint(checkpoint, checkpoint),
            index=checkpoint,
        )
    )


def entries(first: int, last: int) -> list[Entry]:
    return [Entry(seq, EntryKind.AUDIO, seq - 1, b"ab", 7, 2) for seq in range(first, last + 1)]


def progress(seq: int, checkpoint: int) -> Progress:
    return Progress(False, seq, Checkpoint(checkpoint, checkpoint), checkpoint, epoch=1)


def test_nothing_is_read_where_all_is_decided() -> None:
    assert attached(3, checkpoint=3).next_read() is None


def test_pages_are_read_until_all_is_here() -> None:
    takeover = attached(5, checkpoint=1)
    assert takeover.next_read() == 1
    assert takeover.read(entries(2, 3))
    assert takeover.next_read() == 3
    assert takeover.read(entries(4, 5))
    assert takeover.next_read() is None
    assert takeover.entries == entries(2, 5)


@pytest.mark.parametrize("checkpoint", [2, 4, 5])
def test_session_that_moves_on_meanwhile_is_gathered_from_its_new_checkpoint(
    checkpoint: int,
) -> None:
    """Guards against a hole in what is kept: a lost session could not be written anew."""
    takeover = attached(5)
    assert takeover.read(entries(1, 1))
    assert not takeover.read(entries(checkpoint + 1, 5))
    takeover.polled(progress(5, checkpoint))
    while (after := takeover.next_read()) is not None:
        assert takeover.read(entries(after + 1, 5))
    assert takeover.entries == entries(checkpoint + 1, 5)
    assert takeover.attachment.checkpoint == Checkpoint(checkpoint, checkpoint)
    assert takeover.attachment.index == checkpoint


@pytest.mark.parametrize("answer", [None, progress(5, 0), progress(3, 2)])
def test_session_that_the_log_loses_meanwhile_can_not_be_taken_over(
    answer: Progress | None,
) -> None:
    takeover = attached(5)
    assert not takeover.read([])
    with pytest.raises(NotResumable):
        takeover.polled(answer)


@given(st.data())
def test_what_is_gathered_is_whole_however_the_session_moves_on(data: st.DataObject) -> None:
    last = data.draw(st.integers(0, 12))
    checkpoint = data.draw(st.integers(0, last))
    takeover = attached(last, checkpoint)
    while (after := takeover.next_read()) is not None:
        checkpoint = data.draw(st.integers(checkpoint, last))
        page = data.draw(st.integers(1, 4))
        first = max(after, checkpoint) + 1
        if not takeover.read(entries(first, min(last, first + page - 1))):
            checkpoint = data.draw(st.integers(checkpoint, last))
            takeover.polled(progress(last, checkpoint))
    kept = takeover.attachment.checkpoint.seq
    assert takeover.entries == entries(kept + 1, last)
    assert kept <= checkpoint
