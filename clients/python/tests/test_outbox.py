from __future__ import annotations

import pytest

from scripta_client.outbox import Outbox
from scripta_client.wire import END, FINALIZE, KEEPALIVE

pytestmark = pytest.mark.unit


def filled(*frames):
    outbox = Outbox(100)
    for frame in frames:
        outbox.add(frame)
    return outbox


def line(outbox):
    """Takes all that is in line."""
    frames = []
    while (frame := outbox.next()) is not None:
        frames.append(frame)
    return frames


def test_audio_is_kept_until_it_is_acknowledged():
    outbox = filled(b"one", b"four")
    assert line(outbox) == [b"one", b"four"]
    assert outbox.acknowledge(3)
    assert (outbox.accepted_bytes, outbox.pending, outbox.pending_bytes) == (3, 1, 4)
    outbox.rewind()
    assert line(outbox) == [b"four"]


@pytest.mark.parametrize("size", [4, 0])
def test_acknowledgement_of_another_size_than_the_oldest_message_is_refused(size):
    outbox = filled(b"one", b"four")
    line(outbox)
    assert not outbox.acknowledge(size)
    assert outbox.pending == 2


def test_acknowledgement_of_what_was_not_sent_is_refused():
    outbox = filled(b"one")
    assert not outbox.acknowledge(3)
    assert line(outbox) == [b"one"]


def test_room_is_bounded_but_one_message_always_passes():
    outbox = Outbox(100)
    assert outbox.has_room(1000)
    outbox.add(b"x" * 60)
    assert outbox.has_room(40)
    assert not outbox.has_room(41)


def test_what_the_server_has_is_not_sent_again_and_the_rest_is_as_it_was():
    outbox = filled(b"one", b"four", b"a", b"five!")
    line(outbox)
    assert outbox.acknowledge(3)
    assert outbox.settle(2)
    outbox.rewind()
    assert line(outbox) == [b"a", b"five!"]
    assert (outbox.accepted, outbox.accepted_bytes) == (2, 7)


@pytest.mark.parametrize("accepted", [0, 4])
def test_server_can_have_neither_less_than_it_acknowledged_nor_more_than_there_is(accepted):
    outbox = filled(b"one", b"four", b"a")
    line(outbox)
    outbox.acknowledge(3)
    assert not outbox.settle(accepted)
    assert outbox.pending == 2


def test_controls_go_again_in_their_place_unless_audio_behind_them_is_in():
    outbox = filled(b"one", FINALIZE, b"two", FINALIZE, b"six", END)
    line(outbox)
    assert outbox.settle(2)
    outbox.rewind()
    assert line(outbox) == [FINALIZE, b"six", END]


def test_answered_finalize_does_not_go_again():
    outbox = filled(b"one", FINALIZE, FINALIZE)
    line(outbox)
    outbox.acknowledge(3)
    outbox.finalized()
    outbox.rewind()
    assert line(outbox) == [FINALIZE]


def test_answer_to_an_older_finalize_leaves_the_newer_one():
    outbox = filled(FINALIZE, b"one", FINALIZE)
    line(outbox)
    outbox.acknowledge(3)
    outbox.finalized()
    outbox.rewind()
    assert line(outbox) == [FINALIZE]
    outbox.finalized()
    outbox.rewind()
    assert line(outbox) == []


def test_new_session_gets_all_that_is_left_and_counts_from_nothing():
    outbox = filled(b"one", b"four")
    line(outbox)
    outbox.acknowledge(3)
    outbox.restart()
    assert (outbox.accepted, outbox.accepted_bytes) == (0, 3)
    assert line(outbox) == [b"four"]
    assert outbox.settle(1)


def test_keepalive_is_sent_once():
    outbox = filled(b"one", KEEPALIVE, b"two")
    assert line(outbox) == [b"one", KEEPALIVE, b"two"]
    outbox.rewind()
    assert line(outbox) == [b"one", b"two"]


def test_refused_message_does_not_go_again():
    outbox = filled(b"one", b"four", b"a")
    assert line(outbox)
    assert outbox.refuse() == 3
    assert outbox.refuse(over=3) == 4
    assert outbox.refuse(over=3) == 0
    outbox.add(b"new")
    assert line(outbox) == [b"new"]
    outbox.rewind()
    assert line(outbox) == [b"a", b"new"]
