"""The codec of Deepgram's live transcription: query and messages in, asks out; told in, out."""

from __future__ import annotations

import hashlib
import json

import pytest
from deepgram_codec import DIALECT, ID, Message, codec, final, request, write

from scripta_common.errors import (
    BadAudio,
    BadRequest,
    Draining,
    NoCapacity,
    ScriptaError,
    SessionIdle,
    UnknownModel,
)
from scripta_common.sessionlog import SessionOptions
from scripta_gateway.audio.decoder import AudioFormat
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.deepgram import LiveDialect
from scripta_gateway.transports.frames import close_frame

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", {}),
        ("interim_results=True", {"interim_results": True}),
        ("interim_results=TRUE&interim_results=false", {}),
        ("endpointing=25", {"endpointing_ms": 500}),
        ("endpointing=700", {"endpointing_ms": 700}),
        ("endpointing=9999", {"endpointing_ms": 9999}),
        ("endpointing=true", {}),
        ("endpointing=false", {"endpointing_ms": 0}),
        ("endpointing=0", {"endpointing_ms": 0}),
        ("utterance_end_ms=1500", {"silence_ms": 1500, "speech_events": True}),
        ("utterance_end_ms=10", {"silence_ms": 1000, "speech_events": True}),
        ("vad_events=true", {"speech_events": True}),
        ("language=en-GB", {"language": "en-GB"}),
        ("language=multi", {}),
        ("language=de&detect_language=true", {}),
        ("model=None&language=", {}),
        ("model=nova-3-medical", {}),
        ("model=nova-2", {"model": "whisper"}),
        ("model=moonshine", {"model": "moonshine"}),
    ],
)
def test_options_are_what_the_query_asks(query: str, wanted: Message) -> None:
    """Guards what the packages send: booleans in any case, values that nobody gave."""
    assert codec(query).options.session == SessionOptions(**wanted)


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ("", AudioFormat(files_only=True)),
        ("encoding=linear16&sample_rate=8000&channels=2", AudioFormat("linear16", 8000, 2)),
        (
            "encoding=linear16&sample_rate=8000&channels=2&multichannel=true",
            AudioFormat("linear16", 8000, 2, separate=True),
        ),
        ("encoding=linear32&sample_rate=48000", AudioFormat("linear32", 48000)),
        ("encoding=mulaw", AudioFormat("mulaw", 8000)),
        ("encoding=ogg-opus&sample_rate=48000", AudioFormat(None, 48000, files_only=True)),
    ],
)
def test_raw_audio_is_as_the_query_says_and_files_are_looked_at(
    query: str, form: AudioFormat
) -> None:
    assert codec(query).options.format == form


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("encoding=g729", "encoding"),
        ("encoding=linear16", "sample_rate"),
        ("sample_rate=fast", "sample_rate"),
        ("channels=9", "channels"),
        ("interim_results=perhaps", "interim_results"),
        ("endpointing=soon", "endpointing"),
        ("endpointing=-5", "endpointing"),
        ("model=../../etc", "model"),
        ("language=e", "language"),
        ("&".join(["replace=a:b"] * 201), "replace"),
        ("&".join(["tag=a"] * 201), "tag"),
        ("extra=a:\0", "extra"),
        ("replace=a:\x1b[2J", "replace"),
        ("callback=http://a.example&callback_method=delete", "callback_method"),
    ],
)
def test_what_can_not_be_served_is_refused_by_name(query: str, named: str) -> None:
    with pytest.raises(BadRequest) as refused:
        codec(query)
    answer = DIALECT.refuse(request(query), refused.value)
    body = json.loads(answer.body)
    assert (answer.status, body["err_code"], body["request_id"]) == (
        *(400, "INVALID_QUERY_PARAMETER", ID),
    )
    assert named in body["err_msg"]
    assert answer.headers["dg-request-id"] == ID
    assert body["err_msg"] in answer.headers["dg-error"]


def test_terms_that_are_said_go_to_models_that_take_any() -> None:
    one = codec("keyterm=Ada Lovelace&keyterm=Valkey&keywords=Kea:2&keywords=Moa:-1.5&keywords=a:b")
    assert one.options.session.keyterms == ("Ada Lovelace", "Valkey", "Kea", "Moa", "a:b")
    heeded = one.greet(told.Opened("sid", 1, keyterms=True)).headers
    assert "scripta-ignored" not in heeded
    unheeded = one.greet(told.Opened("sid", 1)).headers
    assert unheeded["scripta-ignored"] == "keyterm, keywords"
    with pytest.raises(BadRequest, match="Bad value for keyterm: at most 100"):
        codec("&".join(f"keyterm={n}" for n in range(101)))


def test_what_has_no_effect_is_named() -> None:
    """Guards the promise that nothing is silently claimed."""
    query = (
        "keyterm=a&keyterm=b&diarize=true&detect_entities=false&no_delay=true&search=x&new_one=1"
        "&punctuate=true&bad%0d%0aname=1&redact=ssn&redact=pii"
    )
    headers = codec(query).greet(told.Opened("sid", 1)).headers
    assert headers["scripta-ignored"] == "diarize, search, new_one, redact, keyterm"
    english = "numerals=true&redact=ssn&profanity_filter=true&punctuate=true"
    for language in ("en-GB", "multi", "EN"):
        greeting = codec(f"{english}&language={language}").greet(told.Opened("sid", 1))
        assert "scripta-ignored" not in greeting.headers
    headers = codec(f"{english}&language=de").greet(told.Opened("sid", 1)).headers
    assert headers["scripta-ignored"] == "numerals, profanity_filter, redact"
    assert "scripta-ignored" not in codec("punctuate=true").greet(told.Opened("sid", 1)).headers


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (("token", "SECRET"), "token"),
        (("bearer", "SECRET", "x-deepgram-session-id", "7"), "bearer"),
        ((), None),
        (("other",), None),
    ],
)
def test_browsers_hear_their_subprotocol(offered: tuple[str, ...], chosen: str | None) -> None:
    greeting = codec("", subprotocols=offered).greet(told.Opened("sid", 1))
    assert greeting.subprotocol == chosen
    assert greeting.headers["dg-request-id"] == ID


@pytest.mark.parametrize(
    ("frame", "wanted"),
    [
        (b"samples", (asks.Audio(b"samples"),)),
        (b"", ()),
        ('{"type":"KeepAlive"}', (asks.KeepAlive(),)),
        ('{"type":"Finalize"}', (asks.Finalize(),)),
        ('{"type":"Finalize","channel":0,"more":[]}', (asks.Finalize(0),)),
        ('{"type":"CloseStream"}', (asks.End(),)),
    ],
)
def test_messages_are_asks(frame: str | bytes, wanted: tuple[asks.Ask, ...]) -> None:
    """Guards clients that send an empty message, which once ended the stream."""
    assert tuple(codec().read(frame)) == wanted


@pytest.mark.parametrize(
    "text",
    ["no JSON", "[]", '{"type":7}', '{"type":"Dance"}', '{"type":"Finalize","channel":3}', "[" * 9],
)
def test_what_is_not_understood_is_answered_and_the_call_goes_on(text: str) -> None:
    one = codec()
    (ask,) = one.read(text)
    assert isinstance(ask, asks.Refuse)
    (error,) = write(one, told.Refused(ask.message, ask.detail))
    assert (error["type"], error["variant"], error["message"]) == ("Error", "SchemaError", text)
    assert error["description"]


def test_configure_is_answered() -> None:
    def answer(message: Message) -> Message:
        (ask,) = codec().read(json.dumps({"type": "Configure", **message}))
        assert isinstance(ask, asks.Reply)
        told_back: Message = json.loads(ask.frames[0])
        return told_back

    assert answer({"keyterms": None}) == {"type": "ConfigureSuccess", "request_id": ID}
    failure = answer({"keyterms": ["Scripta"]})
    assert failure["type"] == "ConfigureFailure"
    assert failure["code"] == "CONFIGURE_KEYTERMS_NOT_SUPPORTED"
    assert failure["description"]


def test_numerals_can_be_had_in_mid_stream() -> None:
    one = codec()
    for numerals, transcript in ((True, "550"), (False, "five five oh")):
        one.read(json.dumps({"type": "Configure", "features": {"numerals": numerals}}))
        (result,) = write(one, final(1.5, text="Five five oh.", words=()))
        assert result["channel"]["alternatives"][0]["transcript"] == transcript


def test_audio_that_was_too_large_ends_the_call() -> None:
    """Guards against words that are lost without a sound."""
    (ask,) = codec().oversized(is_text=False, limit=9)
    assert isinstance(ask, asks.Refuse)
    assert isinstance(ask.detail, BadAudio)
    assert LiveDialect.policy.goes_on_after_bad_audio is False


def test_the_end_says_what_was_sent() -> None:
    one = codec("tag=a&tag=b")
    for part in (b"one", b"", b"two"):
        one.read(part)
    rest, metadata = write(one, told.Ended(2.0))
    assert rest["is_final"]
    assert not rest["speech_final"]
    assert metadata["sha256"] == hashlib.sha256(b"onetwo").hexdigest()
    assert metadata["created"] == "2026-02-02T02:40:00.500Z"
    assert (metadata["duration"], metadata["tags"]) == (2.0, ["a", "b"])
    assert metadata["model_info"][metadata["models"][0]]["name"] == "moonshine"
    assert one.close(None).code == 1000


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (SessionIdle("quiet"), 1011, "NET-0001"),
        (BadAudio("no"), 1008, "DATA-0000"),
        (Draining("This gateway is going away."), 1012, "going away"),
        (ScriptaError("x" * 500), 1011, "NET-0000"),
        (NoCapacity("é" * 500), 1013, "é"),
    ],
)
def test_each_error_has_its_close(error: ScriptaError, code: int, reason: str) -> None:
    """Guards clients that read the reason, and the one for JavaScript: no 1000 on a drain."""
    close = codec().close(error)
    assert close.code == code
    assert reason in close.reason
    assert len(close_frame(close.code, close.reason)) <= 127
    assert write(codec(), told.Failed(error)) == []


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NoCapacity("full"), 503, "SERVICE_UNAVAILABLE"),
        (Draining("gone"), 503, "SERVICE_UNAVAILABLE"),
        (UnknownModel("none\nhere"), 400, "INVALID_QUERY_PARAMETER"),
        (ScriptaError("ours"), 500, "INTERNAL"),
    ],
)
def test_each_refusal_has_its_status(error: ScriptaError, status: int, code: str) -> None:
    answer = DIALECT.refuse(request(), error)
    assert (answer.status, json.loads(answer.body)["err_code"]) == (status, code)
    assert "\n" not in answer.headers["dg-error"]
