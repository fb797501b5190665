"""Recordings that are posted to ``/v1/listen``: one answer with all that was asked for."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

import pytest

from scripta_common.errors import BadAudio, NoCapacity
from scripta_common.wire import Final, Reason, Word
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.deepgram import PrerecordedDialect
from scripta_gateway.dialects.model_names import ModelNames
from scripta_gateway.transports.base import Request

pytestmark = pytest.mark.unit

DIALECT = PrerecordedDialect(ModelNames(("nova-3",), {}))


def request(content_type: str = "audio/wav", **query: str) -> Request:
    headers = {"content-type": content_type}
    return Request(id="a" * 32, at=0.0, query=tuple(query.items()), headers=headers)


def final(index: int, start: float, text: str) -> Final:
    words = tuple(
        Word(word, start + at / 2, start + at / 2 + 0.4) for at, word in enumerate(text.split())
    )
    return Final(index, start, words[-1].end, text, Reason.ENDPOINT, words, language="en")


def answer(*finals: tuple[int, Final], voices: int = 1, **query: str) -> dict[str, Any]:
    codec = DIALECT.begin(request(**query))
    codec.write(told.Voices(voices))
    for channel, each in finals:
        assert codec.write(told.Decided(channel, each)) == ()
    (frame,) = codec.write(told.Ended(9.0))
    parsed: dict[str, Any] = json.loads(frame)
    return parsed


def test_answer_has_words_and_metadata() -> None:
    codec = DIALECT.begin(request(model="nova-3", smart_format="true"))
    assert codec.options.session.upload
    assert not codec.options.session.interim_results
    assert codec.read(b"ab") == (asks.Audio(b"ab"),)
    assert codec.finish() == (asks.End(),)
    codec.write(told.Opened("s", 1, "moonshine-tiny-en"))
    codec.write(told.Decided(0, final(1, 0.0, "Hello, world.")))
    (frame,) = codec.write(told.Ended(2.0))
    found = json.loads(frame)
    assert found["metadata"]["sha256"] == hashlib.sha256(b"ab").hexdigest()
    assert found["metadata"]["duration"] == 2.0
    (info,) = found["metadata"]["model_info"].values()
    assert info["name"] == "moonshine-tiny-en"
    (channel,) = found["results"]["channels"]
    (alternative,) = channel["alternatives"]
    assert alternative["transcript"] == "Hello, world."
    assert [word["punctuated_word"] for word in alternative["words"]] == ["Hello,", "world."]
    assert "utterances" not in found["results"]


def test_utterances_are_split_at_pauses_and_sorted_over_channels() -> None:
    found = answer(
        (0, final(1, 0.0, "One two.")),
        (1, final(1, 1.5, "Other.")),
        (0, final(2, 3.0, "Three.")),
        voices=2,
        utterances="true",
        punctuate="true",
    )
    each = found["results"]["utterances"]
    assert [(one["channel"], one["transcript"]) for one in each] == [
        (0, "One two."),
        (1, "Other."),
        (0, "Three."),
    ]
    assert len({one["id"] for one in each}) == 3
    joined = answer(
        (0, final(1, 0.0, "One.")), (0, final(2, 1.0, "Two.")), utterances="true", utt_split="2"
    )
    assert len(joined["results"]["utterances"]) == 1


def test_paragraphs_hold_sentences() -> None:
    found = answer(
        (0, final(1, 0.0, "Hi there. Bye!")),
        (0, final(2, 8.0, "Again.")),
        paragraphs="true",
        smart_format="true",
    )
    paragraphs = found["results"]["channels"][0]["alternatives"][0]["paragraphs"]
    assert paragraphs["transcript"] == "Hi there. Bye!\n\nAgain."
    first, second = paragraphs["paragraphs"]
    assert [sentence["text"] for sentence in first["sentences"]] == ["Hi there.", "Bye!"]
    assert (first["num_words"], second["num_words"]) == (3, 1)


def test_silence_has_an_alternative_without_words() -> None:
    found = answer(utterances="true", paragraphs="true")
    (alternative,) = found["results"]["channels"][0]["alternatives"]
    assert alternative["words"] == []
    assert alternative["paragraphs"] == {"transcript": "", "paragraphs": []}
    assert found["results"]["utterances"] == []


def test_language_is_told_where_it_was_to_be_found() -> None:
    found = answer((0, final(1, 0.0, "Hello.")), detect_language="true")
    assert found["results"]["channels"][0]["detected_language"] == "en"


def test_a_recording_that_is_named_is_asked_for() -> None:
    codec = DIALECT.begin(request("application/json"))
    assert codec.read(b'{"url": "http://a.exa') == ()
    assert codec.read(b'mple/"}') == ()
    assert codec.finish() == (asks.Fetch("http://a.example/"),)
    assert codec.read(b"ab") == (asks.Audio(b"ab"),)
    assert codec.finish() == (asks.End(),)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"url": 1}', b"\xff", b"[" * 70_000])
def test_what_names_no_recording_is_refused(body: bytes) -> None:
    codec = DIALECT.begin(request("application/json; charset=utf-8"))
    wanted = codec.read(body) or codec.finish()
    assert [type(ask) for ask in wanted] == [asks.Refuse]


def test_a_callback_gets_the_answer_and_its_client_an_id() -> None:
    codec = DIALECT.begin(request(callback=" http://a.example/ ", callback_method="PUT"))
    receipt = json.dumps({"request_id": str(UUID("a" * 32))}, separators=(",", ":"))
    assert codec.options.callback == asks.Callback("http://a.example/", "PUT", receipt)
    assert "a.example" not in repr(codec.options)


def test_errors_are_answered_in_the_vendors_form() -> None:
    refusal = DIALECT.refuse(request(), NoCapacity("Full."))
    assert refusal.status == 503
    close = DIALECT.begin(request()).close(BadAudio("It is no audio."))
    assert close.refusal is not None
    assert close.refusal.status == 400
    assert json.loads(close.refusal.body)["err_msg"] == "It is no audio."
