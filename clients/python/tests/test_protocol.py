from __future__ import annotations

import json

import pytest

from scripta_client.errors import ConnectionLost, ProtocolViolation, SessionFailed
from scripta_client.events import Ended, GoingAway, ServerError
from scripta_client.protocol import NativeProtocol, State
from scripta_client.wire import END

pytestmark = pytest.mark.unit


@pytest.fixture
def protocol():
    return NativeProtocol(max_unacknowledged=100)


def received(size):
    return json.dumps({"status": "received", "size": size})


def final(index, end=1.0):
    frame = {"status": "transcript", "index": index, "text": "x", "start": 0.0, "end": end}
    return json.dumps(frame)


def interim(end):
    return json.dumps({"status": "interim", "text": "x", "start": 0.0, "end": end})


def error(message):
    return json.dumps({"status": "error", "error": message})


def test_audio_is_kept_until_it_is_acknowledged(protocol):
    protocol.audio(b"one")
    protocol.audio(b"four")
    assert protocol.receive(received(3)) is None
    assert protocol.outbox.pending == (b"four",)
    assert (protocol.outbox.accepted_bytes, protocol.outbox.pending_bytes) == (3, 4)


@pytest.mark.parametrize("size", [4, 0])
def test_acknowledgement_out_of_turn_is_a_violation(protocol, size):
    protocol.audio(b"one")
    protocol.audio(b"four")
    with pytest.raises(ProtocolViolation, match="out of turn"):
        protocol.receive(received(size))


def test_acknowledgement_of_nothing_is_a_violation(protocol):
    with pytest.raises(ProtocolViolation):
        protocol.receive(received(1))


def test_room_is_bounded_but_one_message_always_passes(protocol):
    assert protocol.outbox.has_room(1000)
    protocol.audio(b"x" * 60)
    assert protocol.outbox.has_room(40)
    assert not protocol.outbox.has_room(41)


def test_refused_audio_is_no_longer_owed(protocol):
    protocol.audio(b"one")
    protocol.audio(b"four")
    assert protocol.receive(error("Audio cannot be decoded: x")) == ServerError(
        "Audio cannot be decoded: x", 3
    )
    assert protocol.outbox.pending == (b"four",)


def test_too_large_names_its_message_even_if_others_wait(protocol):
    protocol.audio(b"one")
    protocol.audio(b"four")
    event = protocol.receive(error("Audio data too large (max 3 bytes)"))
    assert event == ServerError("Audio data too large (max 3 bytes)", 4)
    assert protocol.outbox.pending == (b"one",)


def test_refused_control_message_costs_no_audio(protocol):
    protocol.audio(b"one")
    assert protocol.receive(error("Unknown message type: x")) == ServerError(
        "Unknown message type: x", 0
    )
    assert protocol.outbox.pending == (b"one",)


def test_error_with_a_code_ends_the_session(protocol):
    with pytest.raises(SessionFailed) as caught:
        protocol.receive(json.dumps({"status": "error", "error": "gone", "code": "poisoned"}))
    assert (caught.value.code, caught.value.message) == ("poisoned", "gone")


def test_final_that_comes_twice_is_handed_out_once(protocol):
    events = [protocol.receive(final(index)) for index in (1, 2, 1, 2, 3)]
    assert [event and event.index for event in events] == [1, 2, None, None, 3]


def test_missing_final_is_a_violation(protocol):
    protocol.receive(final(1))
    with pytest.raises(ProtocolViolation, match="final 3 follows final 1"):
        protocol.receive(final(3))


def test_interim_behind_its_final_is_dropped(protocol):
    assert protocol.receive(interim(0.5)) is not None
    protocol.receive(final(1, end=1.0))
    assert protocol.receive(interim(0.8)) is None
    assert protocol.receive(interim(1.2)) is not None


def test_going_away_is_told(protocol):
    assert protocol.receive('{"status":"going_away"}') == GoingAway()


def test_session_frame_says_who_we_are(protocol):
    assert protocol.receive('{"status":"session","session":"s-9","client_id":5}') is None
    assert (protocol.session, protocol.client_id) == ("s-9", 5)


def test_end_is_sent_once_and_takes_no_audio_after_it(protocol):
    assert (protocol.end(), protocol.end()) == (END, None)
    with pytest.raises(RuntimeError):
        protocol.audio(b"late")


def test_ended_frame_is_the_last_event_whatever_the_close(protocol):
    protocol.end()
    assert protocol.receive('{"status":"ended","duration":2.5}') == Ended(2.5)
    assert protocol.state is State.ENDED
    assert protocol.closed(1006, "") is None


def test_server_without_events_ends_by_a_normal_close(protocol):
    protocol.end()
    assert protocol.closed(1000, "") == Ended(None)


def test_ended_with_audio_unanswered_is_a_violation(protocol):
    protocol.audio(b"one")
    protocol.end()
    with pytest.raises(ProtocolViolation, match="3 bytes not acknowledged"):
        protocol.receive('{"status":"ended","duration":2.5}')


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1012])
def test_close_before_the_end_is_a_loss(protocol, code):
    protocol.receive('{"status":"ended","duration":2.5}')
    with pytest.raises(ConnectionLost) as caught:
        protocol.closed(code, "why")
    assert (caught.value.code, caught.value.reason) == (code, "why")


def test_normal_close_with_audio_unanswered_is_a_loss(protocol):
    protocol.audio(b"one")
    protocol.end()
    with pytest.raises(ConnectionLost):
        protocol.closed(1000, "")


def test_server_owes_an_answer_to_audio_and_to_the_end(protocol):
    assert not protocol.owed
    protocol.audio(b"one")
    assert protocol.owed
    protocol.receive(received(3))
    assert not protocol.owed
    protocol.end()
    assert protocol.owed
