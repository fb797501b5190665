"""Vosk's dialect, frame by frame: one reply for each message of audio, never more, never fewer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripta_common.errors import NoCapacity
from scripta_common.wire import Final, Interim, Reason, Word
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.vosk import VoskDialect
from scripta_gateway.dialects.vosk.codec import VoskCodec
from scripta_gateway.transports.base import Request
from scripta_gateway.transports.frames import close_frame

pytestmark = pytest.mark.unit

REQUEST = Request(id="a" * 32, at=0.0)
WORDS = (Word("Hello,", 0.1, 0.4, 0.9), Word("World!", 0.5, 0.9))


@pytest.fixture
def codec() -> VoskCodec:
    return VoskDialect({"my-model": "whisper"}).begin(REQUEST)


def final(index: int, text: str, reason: Reason = Reason.ENDPOINT, words: Any = ()) -> told.Decided:
    return told.Decided(0, Final(index, 0.0, 1.0, text, reason, words))


def only(frames: Any) -> dict[str, Any]:
    (frame,) = frames
    parsed: dict[str, Any] = json.loads(frame)
    return parsed


def reply(codec: VoskCodec) -> dict[str, Any]:
    return only(codec.write(told.Accepted(320)))


def test_audio_is_answered_by_the_interim_and_then_by_the_final(codec: VoskCodec) -> None:
    assert codec.read(b"ab") == (asks.Audio(b"ab"),)
    assert reply(codec) == {"partial": ""}
    assert codec.write(told.Guess(0, Interim(0.0, 0.5, "Hello, wor"))) == ()
    assert reply(codec) == {"partial": "hello wor"}
    assert codec.write(final(1, "Hello, World!", words=WORDS)) == ()
    assert reply(codec) == {
        "text": "hello world",
        "result": [
            {"conf": 0.9, "start": 0.1, "end": 0.4, "word": "hello"},
            {"conf": 1.0, "start": 0.5, "end": 0.9, "word": "world"},
        ],
    }
    assert reply(codec) == {"partial": ""}


def test_finals_that_came_together_are_told_in_one_reply(codec: VoskCodec) -> None:
    """Guards the lockstep: a client reads one reply for a message, so none may be left over."""
    for index, text in enumerate(("One.", "", "Two."), start=1):
        codec.write(final(index, text))
    assert reply(codec) == {"text": "one two"}


@pytest.mark.parametrize("spacing", ['{"eof" : 1}', '{"eof":1}', '{ "eof": 1 }'])
def test_eof_ends_the_stream_and_the_rest_is_one_result(codec: VoskCodec, spacing: str) -> None:
    assert codec.read(spacing) == (asks.End(),)
    assert codec.write(final(1, "The last.", Reason.END)) == ()
    assert only(codec.write(told.Ended(1.0))) == {"text": "the last"}
    assert codec.close(None).code == 1000


def test_reset_is_answered_by_its_final_alone(codec: VoskCodec) -> None:
    assert codec.read('{"reset" : 1}') == (asks.Finalize(),)
    codec.write(final(1, "One."))
    assert only(codec.write(final(2, "Two.", Reason.FINALIZE))) == {"text": "one two"}
    assert reply(codec) == {"partial": ""}


def test_config_sets_rate_words_model_and_alternatives(codec: VoskCodec) -> None:
    message = {"sample_rate": 16000, "words": False, "max_alternatives": 2, "model": "my-model"}
    (configure,) = codec.read(json.dumps({"config": {**message, "phrase_list": ["a"]}}))
    assert isinstance(configure, asks.Configure)
    assert configure.options.format.sample_rate == 16000
    assert configure.options.session.model == "whisper"
    assert not configure.options.session.word_times
    codec.write(final(1, "Hello, World!", words=WORDS))
    assert reply(codec) == {"alternatives": [{"text": "hello world", "confidence": 0.0}]}


def test_rate_is_that_of_telephones_unless_told(codec: VoskCodec) -> None:
    assert codec.options.format.sample_rate == 8000


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "1", "{}", '{"config": {"sample_rate": 1}}', '{"config": []}', "[" * 9999],
)
def test_message_that_means_nothing_is_refused(codec: VoskCodec, text: str) -> None:
    (refuse,) = codec.read(text)
    assert isinstance(refuse, asks.Refuse)
    assert only(codec.write(told.Refused(refuse.message))) == {"error": refuse.message}


@given(st.one_of(st.text(), st.binary(), st.from_regex(r'\{"(config|eof|reset)" ?: ?.{0,20}\}')))
def test_no_frame_raises(frame: str | bytes) -> None:
    VoskDialect().begin(REQUEST).read(frame)


def test_empty_message_is_answered_too(codec: VoskCodec) -> None:
    (answer,) = codec.read(b"")
    assert isinstance(answer, asks.Reply)
    assert only(answer.frames) == {"partial": ""}


def test_failure_closes_with_its_reason(codec: VoskCodec) -> None:
    error = NoCapacity("é" * 200)
    assert codec.write(told.Failed(error)) == ()
    close = codec.close(error)
    assert close.code == 1013
    assert len(close_frame(close.code, close.reason)) <= 127
    refusal = VoskDialect().refuse(REQUEST, error)
    assert refusal.status == 503
