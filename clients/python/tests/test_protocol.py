from __future__ import annotations

import json

import pytest

from scripta_client.errors import ConnectionLost, ProtocolViolation, SessionFailed, SessionLost
from scripta_client.events import Ended, GoingAway, Restarted, Resumed, ServerError, Word
from scripta_client.protocol import NativeProtocol, State
from scripta_client.wire import DECODED, END, FINALIZE, AudioFormat, Opened, Place

pytestmark = pytest.mark.unit

SECOND = bytes(32_000)


@pytest.fixture
def protocol():
    return NativeProtocol(100, DECODED)


def line(protocol):
    """Takes all that is in line."""
    frames = []
    while (frame := protocol.outbox.next()) is not None:
        frames.append(frame)
    return frames


def speak(protocol, *messages):
    """Sends audio."""
    for message in messages:
        protocol.audio(message)
    line(protocol)


def received(size):
    return json.dumps({"status": "received", "size": size})


def final(index, end=1.0):
    frame = {"status": "transcript", "index": index, "text": "x", "start": 0.0, "end": end}
    return json.dumps(frame)


def interim(end):
    return json.dumps({"status": "interim", "text": "x", "start": 0.0, "end": end})


def error(message):
    return json.dumps({"status": "error", "error": message})


@pytest.mark.parametrize("size", [4, 0])
def test_acknowledgement_out_of_turn_is_a_violation(protocol, size):
    speak(protocol, b"one", b"four")
    with pytest.raises(ProtocolViolation, match="out of turn"):
        protocol.receive(received(size))


def test_acknowledgement_of_nothing_is_a_violation(protocol):
    with pytest.raises(ProtocolViolation):
        protocol.receive(received(1))


def test_refused_audio_is_no_longer_owed(protocol):
    speak(protocol, b"one", b"four")
    assert protocol.receive(error("Audio cannot be decoded: x")) == ServerError(
        "Audio cannot be decoded: x", 3
    )
    assert protocol.outbox.pending_bytes == 4


def test_too_large_names_its_message_even_if_others_wait(protocol):
    speak(protocol, b"one", b"four")
    event = protocol.receive(error("Audio data too large (max 3 bytes)"))
    assert event == ServerError("Audio data too large (max 3 bytes)", 4)
    assert protocol.outbox.pending_bytes == 3


def test_refused_control_message_costs_no_audio(protocol):
    protocol.audio(b"one")
    assert protocol.receive(error("Unknown message type: x")) == ServerError(
        "Unknown message type: x", 0
    )
    assert protocol.outbox.pending_bytes == 3


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
    protocol.end()
    protocol.end()
    protocol.finalize()
    assert line(protocol) == [END]
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
    speak(protocol, b"one")
    assert protocol.owed
    protocol.receive(received(3))
    assert not protocol.owed
    protocol.end()
    assert protocol.owed


def opened(session="s-1", **more):
    return Opened(session, 7, **more)


def again(protocol, received, **more):
    return protocol.reopened(opened(resumed=True, received=received, **more), 0.5)


def anew(protocol, reason="unknown"):
    return protocol.reopened(opened("s-2", reason=reason, token="s-2.secret"), 0.5)


def offered(protocol):
    protocol.receive('{"status":"session","session":"s-1","client_id":7,"token":"s-1.secret"}')


def test_place_is_the_token_and_the_last_final(protocol):
    assert protocol.place is None
    protocol.opened("s-1", 7)
    assert protocol.place is None  # an id opens nothing
    offered(protocol)
    assert protocol.place == Place("s-1.secret", 0)
    protocol.receive(final(1))
    protocol.receive(final(2))
    assert protocol.place == Place("s-1.secret", 2)


def test_token_is_kept_while_the_session_is_and_replaced_with_it(protocol):
    """It is told once: the first frame of a connection that took the session up has none."""
    offered(protocol)
    again(protocol, 0)
    assert protocol.place == Place("s-1.secret", 0)
    anew(protocol)
    assert protocol.place == Place("s-2.secret", 0)


def test_server_that_lost_results_is_asked_from_the_last_that_it_has(protocol):
    offered(protocol)
    for index in (1, 2, 3):
        protocol.receive(final(index))
    assert protocol.recorded(1)
    assert protocol.place == Place("s-1.secret", 1)
    assert not protocol.recorded(1)  # nothing is changed by coming again
    again(protocol, 0)
    assert protocol.place == Place("s-1.secret", 3)
    events = [protocol.receive(final(index)) for index in (2, 3, 4)]
    assert [event and event.index for event in events] == [None, None, 4]


def test_resumed_session_gets_what_it_lacks_and_then_the_end(protocol):
    speak(protocol, b"one", b"four", b"six")
    protocol.end()
    line(protocol)
    protocol.receive(received(3))
    assert again(protocol, 2, resume_seconds=20.0) == Resumed(0.5)
    assert line(protocol) == [b"six", END]
    assert protocol.resume_seconds == 20.0
    protocol.receive(received(3))
    assert protocol.receive('{"status":"ended","duration":2.5}') == Ended(2.5)


def test_results_that_come_again_after_a_break_are_handed_out_once(protocol):
    protocol.receive(final(1))
    again(protocol, 0)
    events = [protocol.receive(final(index)) for index in (1, 2)]
    assert [event and event.index for event in events] == [None, 2]


def test_acknowledged_audio_that_the_server_lacks_is_a_loss(protocol):
    speak(protocol, SECOND, SECOND)
    protocol.receive(received(32_000))
    protocol.receive(received(32_000))
    protocol.receive(final(1, end=0.5))
    with pytest.raises(SessionLost) as caught:
        again(protocol, 1)
    assert (caught.value.reason, caught.value.seconds_lost) == ("audio_missing", 1.5)


def test_server_that_has_more_than_there_is_is_a_violation(protocol):
    speak(protocol, b"one")
    with pytest.raises(ProtocolViolation, match="2 messages"):
        again(protocol, 2)


@pytest.mark.parametrize("reason", ["unknown", "mid_file", "failed"])
def test_new_session_that_lacks_nothing_goes_on_by_itself(protocol, reason):
    speak(protocol, b"one", b"four")
    assert anew(protocol, reason) == Restarted(reason, 0.0, 0.5)
    assert line(protocol) == [b"one", b"four"]
    assert (protocol.session, protocol.place) == ("s-2", Place("s-2.secret", 0))


@pytest.mark.parametrize("reason", ["unknown", "mid_file", "failed"])
def test_new_session_that_lacks_acknowledged_audio_is_a_loss(protocol, reason):
    speak(protocol, SECOND, SECOND)
    protocol.receive(received(32_000))
    protocol.receive(final(1, end=0.75))
    with pytest.raises(SessionLost) as caught:
        anew(protocol, reason)
    assert (caught.value.reason, caught.value.seconds_lost) == (reason, 0.25)


def test_how_much_of_a_file_is_lost_is_not_known():
    protocol = NativeProtocol(100, goes_on_lossy=True)
    speak(protocol, b"RIFF")
    protocol.receive(received(4))
    with pytest.raises(SessionLost) as caught:
        anew(protocol, "mid_file")
    assert caught.value.seconds_lost is None


def test_file_of_which_nothing_was_acknowledged_goes_to_a_new_session():
    protocol = NativeProtocol(100)
    speak(protocol, b"RIFF")
    assert anew(protocol) == Restarted("unknown", 0.0, 0.5)
    assert line(protocol) == [b"RIFF"]


def test_new_session_where_words_may_be_lost_goes_on_with_times_and_indexes():
    protocol = NativeProtocol(100, AudioFormat("mulaw", 8000), goes_on_lossy=True)
    speak(protocol, bytes(8000), bytes(8000), b"more")
    protocol.receive(received(8000))
    protocol.receive(final(1, end=0.5))
    protocol.receive(received(8000))
    assert anew(protocol, "mid_file") == Restarted("mid_file", 1.5, 0.5)
    assert line(protocol) == [b"more"]
    word = {"word": "x", "start": 0.25, "end": 0.5}
    said = json.loads(final(1, end=1.0)) | {"words": [word]}
    event = protocol.receive(json.dumps(said))
    assert (event.index, event.start, event.end) == (2, 2.0, 3.0)
    assert event.words == (Word("x", 2.25, 2.5),)
    assert protocol.receive(interim(0.9)) is None
    assert protocol.receive(interim(1.1)).end == pytest.approx(3.1)
    assert protocol.place == Place("s-2.secret", 1)
    protocol.receive(received(4))
    protocol.end()
    assert protocol.receive('{"status":"ended","duration":1.5}') == Ended(3.5)


def test_session_that_was_ended_while_we_were_away_gives_its_words_and_a_new_one_goes_on(protocol):
    speak(protocol, SECOND, b"more")
    protocol.receive(received(32_000))
    again(protocol, 1)
    assert line(protocol) == [b"more"]
    assert protocol.receive(error("The stream has ended; open a new connection")) is None
    assert protocol.receive(final(1, end=0.5)).index == 1
    assert protocol.receive('{"status":"ended","duration":1.0}') is None
    assert protocol.owed
    assert protocol.lapsed
    assert protocol.place is None
    with pytest.raises(ConnectionLost):
        protocol.closed(1000, "")
    assert protocol.reopened(opened("s-2"), 0.5) == Restarted("ended", 0.0, 0.5)
    assert line(protocol) == [b"more"]
    assert not protocol.lapsed
    assert protocol.receive(final(1, end=0.5)).start == 1.0


def test_file_that_was_ended_while_we_were_away_is_lost():
    protocol = NativeProtocol(100)
    speak(protocol, b"RIFF", b"more")
    protocol.receive(received(4))
    again(protocol, 1)
    with pytest.raises(SessionLost) as caught:
        protocol.receive('{"status":"ended","duration":1.0}')
    assert (caught.value.reason, caught.value.seconds_lost) == ("ended", None)


@pytest.mark.parametrize("code", ["session_lost", "model_gone"])
def test_session_that_the_server_lost_is_a_loss_unless_it_lacks_nothing(protocol, code):
    lost = json.dumps({"status": "error", "error": "It is gone", "code": code})
    assert protocol.receive(lost) is None
    assert protocol.owed
    assert protocol.lapsed
    assert protocol.place is None
    with pytest.raises(SessionFailed, match="It is gone"):
        protocol.closed(1012, "")
    assert anew(protocol, "") == Restarted(code, 0.0, 0.5)
    assert not protocol.lapsed
    speak(protocol, SECOND)
    protocol.receive(received(32_000))
    with pytest.raises(SessionLost, match="It is gone") as caught:
        protocol.receive(lost)
    assert (caught.value.reason, caught.value.seconds_lost) == (code, 1.0)


def test_failure_that_may_pass_is_raised_with_the_close_that_follows(protocol):
    failed = {"status": "error", "error": "full", "code": "no_capacity"}
    assert protocol.receive(json.dumps(failed)) is None
    assert protocol.owed
    with pytest.raises(SessionFailed, match="full"):
        protocol.closed(1013, "")


def test_gateway_that_goes_away_is_remembered_until_there_is_another(protocol):
    protocol.receive('{"status":"going_away","received":0}')
    assert protocol.going_away
    again(protocol, 0)
    assert not protocol.going_away


def test_finalize_that_is_not_answered_goes_again(protocol):
    protocol.finalize()
    protocol.finalize()
    assert line(protocol) == [FINALIZE, FINALIZE]
    protocol.receive(json.dumps(json.loads(final(1)) | {"reason": "finalize"}))
    again(protocol, 0)
    assert line(protocol) == [FINALIZE]
