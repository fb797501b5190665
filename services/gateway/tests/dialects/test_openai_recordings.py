"""OpenAI's recordings: what a form asks for, and each form of an answer."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from scripta_common.errors import EngineFailure, NoCapacity
from scripta_common.wire import Final, Reason, Word
from scripta_gateway.bounds import FORM_HELD_BYTES
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.model_names import ModelNames
from scripta_gateway.dialects.openai.models import TRANSCRIPTION_MODELS
from scripta_gateway.dialects.openai.recordings import RecordingsDialect
from scripta_gateway.dialects.openai.recordings.codec import RecordingCodec
from scripta_gateway.transports.base import Request

pytestmark = pytest.mark.unit

DIALECT = RecordingsDialect(ModelNames(TRANSCRIPTION_MODELS, {"whisper-1": "base"}))
OPENED = told.Opened("s", 1)
FINALS = (
    Final(1, 0.0, 2.0, "Hello world.", Reason.ENDPOINT,
          (Word("Hello", 0.2, 0.8, 0.5), Word("world.", 0.9, 1.9, 0.5)), language="en"),
    Final(2, 2.0, 2.5, "", Reason.ENDPOINT),
    Final(3, 3.0, 4.0, "Good <bye>", Reason.END,
          (Word("Good", 3.0, 3.4), Word("<bye>", 3.5, 4.0))),
)  # fmt: skip


def begin(fields: dict[str, Any], file: bytes | None = b"audio") -> tuple[RecordingCodec, bytes]:
    """Returns a codec, and a body with the fields before the file."""
    files = {"file": ("a.wav", file)} if file is not None else {"other": ("b", b"")}
    request = httpx.Request("POST", "http://x/", data=fields, files=files)
    headers = {"content-type": request.headers["content-type"]}
    return DIALECT.begin(Request("a" * 32, 0.0, headers=headers)), request.read()


def asked(fields: dict[str, Any], file: bytes | None = b"audio") -> list[asks.Ask]:
    codec, body = begin(fields, file)
    return [*codec.read(body), *codec.finish()]


def answered(fields: dict[str, Any]) -> tuple[list[str], RecordingCodec]:
    codec, body = begin(fields)
    codec.read(body)
    codec.finish()
    news: list[told.Told] = [told.Noted(None), *(told.Decided(0, each) for each in FINALS)]
    frames = [frame for each in (*news, told.Ended(4.0)) for frame in codec.write(each)]
    return [str(frame) for frame in frames], codec


def test_a_form_asks_for_a_session_and_its_audio() -> None:
    configure, audio, note, end = asked({"model": "whisper-1", "language": "de"})
    assert isinstance(configure, asks.Configure)
    options = configure.options
    assert options.session.upload
    assert options.format.files_only
    assert (options.session.model, options.session.language) == ("base", "de")
    assert not options.session.word_times
    assert (audio, note, end) == (asks.Audio(b"audio"), asks.Note(None), asks.End())


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": "srt"},
        {"response_format": "vtt"},
        {"include[]": "logprobs"},
        {"response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"]},
    ],
)
def test_words_with_times_are_asked_for_where_they_are_told(fields: dict[str, Any]) -> None:
    configure = asked(fields)[0]
    assert isinstance(configure, asks.Configure)
    assert configure.options.session.word_times


@pytest.mark.parametrize(
    ("fields", "param", "word"),
    [
        ({"response_format": "diarized_json"}, "response_format", "diarized_json"),
        ({"response_format": "xml"}, "response_format", "srt"),
        ({"stream": "perhaps"}, "stream", "true or false"),
        ({"stream": "true", "response_format": "srt"}, "stream", "json"),
        ({"language": "x y"}, "language", "language"),
        ({"model": "../etc"}, "model", "model"),
        ({"timestamp_granularities[]": "letter"}, "timestamp_granularities", "segment"),
    ],
)
def test_a_bad_field_is_refused_by_its_name(fields: dict[str, Any], param: str, word: str) -> None:
    refused = next(ask for ask in asked(fields) if isinstance(ask, asks.Refuse))
    close = begin({})[0].close(refused.detail)  # type: ignore[arg-type]
    assert close.refusal is not None
    assert close.refusal.status == 400
    error = json.loads(close.refusal.body)["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert word in error["message"]


def test_a_form_without_a_file_is_refused() -> None:
    refused = asked({"model": "whisper-1"}, None)
    assert isinstance(refused[-1], asks.Configure | asks.End | asks.Refuse)


def test_a_body_that_ends_early_is_refused() -> None:
    codec, body = begin({})
    codec.read(body[:-20])
    assert [type(ask) for ask in codec.finish()] == [asks.Refuse]


class TestFieldsBehindTheFile:
    """Clients for Node send fields in the order that their user writes them in."""

    def feed(self, size: int, **fields: str) -> list[asks.Ask]:
        codec, body = begin({})
        boundary = body[: body.index(b"\r\n")]
        head = body[: body.rindex(b"audio")]
        wanted = list(codec.read(head + bytes(size)))
        for name, value in fields.items():
            lines = b'\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s'
            field = lines % (name.encode(), value.encode())
            wanted += codec.read(b"\r\n" + boundary + field)
        wanted += codec.read(b"\r\n" + boundary + b"--\r\n")
        return [*wanted, *codec.finish()]

    def test_of_a_short_file_they_hold(self) -> None:
        configure, *_ = self.feed(5000, model="whisper-1", language="de")
        assert isinstance(configure, asks.Configure)
        assert configure.options.session.language == "de"

    def test_of_a_long_file_those_that_change_nothing_are_taken(self) -> None:
        wanted = self.feed(FORM_HELD_BYTES, model="gpt-4o-transcribe", stream="true")
        assert not [ask for ask in wanted if isinstance(ask, asks.Refuse)]

    def test_of_a_long_file_others_are_refused_with_what_to_do(self) -> None:
        wanted = self.feed(FORM_HELD_BYTES, language="de")
        refused = next(ask for ask in wanted if isinstance(ask, asks.Refuse))
        assert "before the file" in refused.message

    def test_of_a_stream_that_is_asked_for_late_no_text_is_lost(self) -> None:
        codec, body = begin({"stream": "true"})
        assert codec.write(told.Decided(0, FINALS[0])) == ()
        codec.read(body)
        assert len(codec.write(told.Noted(None))) == 1


def test_json() -> None:
    (answer,), codec = answered({})
    shown = json.loads(answer)
    assert shown == {
        "text": "Hello world. Good <bye>",
        "languages": [{"code": "en"}],
        "usage": {"type": "duration", "seconds": 4.0},
    }
    assert codec.greet(OPENED).media_type == "application/json"


def test_text() -> None:
    (answer,), codec = answered({"response_format": "text"})
    assert answer == "Hello world. Good <bye>\n"
    assert codec.greet(OPENED).media_type.startswith("text/plain")


def test_srt() -> None:
    (answer,), _ = answered({"response_format": "srt"})
    assert answer == (
        "1\n00:00:00,200 --> 00:00:01,900\nHello world.\n\n"
        "2\n00:00:03,000 --> 00:00:04,000\nGood <bye>\n\n"
    )


def test_vtt() -> None:
    (answer,), codec = answered({"response_format": "vtt"})
    assert answer.startswith("WEBVTT\n\n00:00:00.200 --> 00:00:01.900\nHello world.\n\n")
    assert "Good &lt;bye&gt;" in answer
    assert codec.greet(OPENED).media_type.startswith("text/vtt")


def test_verbose_json_has_all_fields_of_a_segment() -> None:
    (answer,), _ = answered({"response_format": "verbose_json"})
    shown = json.loads(answer)
    assert (shown["language"], shown["duration"], shown["task"]) == ("english", 4.0, "transcribe")
    assert "words" not in shown
    assert [set(segment) for segment in shown["segments"]] == [
        {
            *("id", "seek", "start", "end", "text", "tokens", "temperature"),
            *("avg_logprob", "compression_ratio", "no_speech_prob"),
        }
    ] * 2
    assert shown["segments"][1]["seek"] == 300


def test_verbose_json_with_words() -> None:
    fields = {"response_format": "verbose_json", "timestamp_granularities[]": "word"}
    shown = json.loads(answered(fields)[0][0])
    assert shown["words"][0] == {"word": "Hello", "start": 0.2, "end": 0.8}
    assert "segments" not in shown


def test_logprobs() -> None:
    shown = json.loads(answered({"include[]": "logprobs"})[0][0])
    assert [each["token"] for each in shown["logprobs"]] == ["Hello", "world."]


def test_stream_appends() -> None:
    frames, codec = answered({"stream": "true"})
    assert all(frame.startswith("data: ") and frame.endswith("\n\n") for frame in frames)
    events = [json.loads(frame[6:]) for frame in frames]
    deltas = [event["delta"] for event in events if event["type"] == "transcript.text.delta"]
    assert "".join(deltas) == events[-1]["text"] == "Hello world. Good <bye>"
    assert events[-1]["type"] == "transcript.text.done"
    assert codec.greet(OPENED).media_type == "text/event-stream"


def test_a_failure_is_an_answer_or_behind_text_an_event() -> None:
    codec, _ = begin({})
    assert codec.write(told.Failed(EngineFailure("It failed."))) == ()
    refusal = codec.close(EngineFailure("It failed.")).refusal
    assert refusal is not None
    assert (refusal.status, json.loads(refusal.body)["error"]["type"]) == (500, "server_error")
    full = codec.close(NoCapacity("Full.")).refusal
    assert full is not None
    assert full.status == 503
    _, codec = answered({"stream": "true"})
    (event,) = codec.write(told.Failed(EngineFailure("It failed.")))
    assert json.loads(str(event)[6:])["error"]["message"] == "It failed."


def test_what_has_no_effect_is_named() -> None:
    fields = {"prompt": "x", "temperature": "0", "known_speaker_names[]": "a", "model": "m"}
    _, codec = answered(fields)
    ignored = codec.greet(OPENED).headers["scripta-ignored"]
    assert ignored == "temperature, known_speaker_names, prompt"


@pytest.mark.parametrize("heeds", [True, False])
def test_prompt_is_what_is_probably_said_and_named_where_no_model_takes_it(heeds: bool) -> None:
    codec, body = begin({"prompt": "ZyntriQix, Digique Plus;\nB.R.I.C.K.", "model": "whisper-1"})
    codec.read(body)
    configure = codec.finish()[0]
    assert isinstance(configure, asks.Configure)
    terms = ("ZyntriQix", "Digique Plus", "B.R.I.C.K.")
    assert configure.options.session.keyterms == terms
    codec.write(told.Configured(keyterms=heeds))
    headers = codec.greet(told.Opened("sid", 1)).headers
    assert headers == ({} if heeds else {"scripta-ignored": "prompt"})


def test_of_a_prompt_that_is_too_long_the_first_terms_count() -> None:
    configure = asked({"prompt": f"Ada, {'x' * 2000}, Moa"})[0]
    assert isinstance(configure, asks.Configure)
    assert configure.options.session.keyterms == ("Ada",)
