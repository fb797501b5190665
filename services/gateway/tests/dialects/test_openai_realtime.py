"""The codec of OpenAI's realtime transcription: its handshake, its session, audio and the end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from realtime_events import (
    APPEND,
    BETA,
    COMMIT,
    DIALECT,
    Event,
    append,
    audio,
    codec,
    committing,
    final,
    kinds,
    read,
    request,
    update,
    updated,
    write,
)

from scripta_common.errors import (
    BadRequest,
    BrokerUnavailable,
    Draining,
    EngineFailure,
    NoCapacity,
    OverLimit,
    TooManyRefusals,
    Unauthorized,
    UnknownModel,
)
from scripta_gateway.bounds import TEXT_BYTES
from scripta_gateway.dialects import asks, told
from scripta_gateway.transports.base import Request

pytestmark = pytest.mark.unit


# The handshake.


@pytest.mark.parametrize(
    "query",
    [
        "intent=transcription",
        "intent=transcription&model=gpt-4o-realtime-preview",
        "model=gpt-4o-transcribe",
        "model=gpt-realtime-whisper",
        "intent=transcription&model=",
        "",
    ],
)
def test_whoever_wants_transcription_is_welcome(query: str) -> None:
    """Guards the two ways of the vendor's packages to say it: an intent, or a model."""
    assert codec(query).options.session.model is None


@pytest.mark.parametrize("query", ["intent=conversation", "model=gpt-realtime-2", "intent="])
def test_whoever_wants_speech_for_speech_is_refused(query: str) -> None:
    with pytest.raises(BadRequest) as refused:
        codec(query)
    answer = DIALECT.refuse(request(query), refused.value)
    error = json.loads(answer.body)["error"]
    assert answer.status == 400
    assert error["type"] == "invalid_request_error"
    assert "intent=transcription" in error["message"]


def test_models_have_our_names() -> None:
    assert codec("model=whisper-1").options.session.model == "whisper"
    assert codec("model=moonshine").options.session.model == "moonshine"
    with pytest.raises(BadRequest):
        codec("model=../../etc")


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (NoCapacity("full"), 503, "server_error"),
        (BrokerUnavailable(), 503, "server_error"),
        (UnknownModel("no such model"), 404, "invalid_request_error"),
    ],
)
def test_refusals_have_the_vendors_form(error: Any, status: int, kind: str) -> None:
    answer = DIALECT.refuse(request(), error)
    described = json.loads(answer.body)["error"]
    assert (answer.status, described["type"]) == (status, kind)
    assert described.keys() == {"type", "code", "message", "param"}


def test_subprotocol_is_echoed_only_if_it_is_offered() -> None:
    opened = told.Opened("session", 1)
    offered = Request("ab" * 16, 0.0, subprotocols=("realtime", "openai-insecure-api-key.secret"))
    assert DIALECT.begin(offered).greet(opened).subprotocol == "realtime"
    assert codec().greet(opened).subprotocol is None


# The session.


def test_session_is_shown_first_with_all_that_holds() -> None:
    (created,) = write(codec("intent=transcription&model=whisper-1"), told.Opened("sid", 1))
    assert created["type"] == "session.created"
    session = created["session"]
    assert session["type"] == "transcription"
    assert session["object"] == "realtime.transcription_session"
    assert session["expires_at"] > 1_770_000_000
    assert session["audio"]["input"] == {
        "format": {"type": "audio/pcm", "rate": 24_000},
        "noise_reduction": None,
        "transcription": {"model": "whisper-1"},
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 500,
        },
    }


@pytest.mark.parametrize(
    ("session", "options"),
    [
        ({}, {"endpointing_ms": 500, "speech_events": True, "interim_results": True}),
        ({"turn_detection": None}, {"speech_events": False, "endpointing_ms": 0}),
        ({"turn_detection": {"type": "server_vad", "silence_duration_ms": 350}},
         {"endpointing_ms": 350}),
        ({"turn_detection": {"type": "server_vad", "silence_duration_ms": 90_000}},
         {"endpointing_ms": 5_000}),
        ({"turn_detection": {"type": "server_vad", "silence_duration_ms": None}},
         {"endpointing_ms": 500}),
        ({"turn_detection": {"type": "semantic_vad", "eagerness": "low"}},
         {"endpointing_ms": 1_200}),
        ({"turn_detection": {"type": "semantic_vad"}}, {"endpointing_ms": 700}),
        ({"transcription": {"model": "gpt-live-transcribe"}}, {"speech_events": False}),
        ({"transcription": {"model": "gpt-4o-transcribe", "language": "en"}},
         {"language": "en", "model": None}),
        ({"transcription": {"languages": ["de"]}}, {"language": "de"}),
        ({"transcription": {"languages": ["de", "en"]}}, {"language": None}),
        ({"transcription": {"language": "auto", "prompt": "names", "keywords": ["Ada"]}},
         {"language": None}),
        ({"transcription": None, "noise_reduction": {"type": "near_field"}}, {"model": None}),
    ],
)  # fmt: skip
def test_what_is_asked_of_a_session(session: Event, options: Event) -> None:
    asked = update(codec(), audio(**session)).options.session
    assert {name: getattr(asked, name) for name in options} == options


@pytest.mark.parametrize(
    ("form", "encoding", "rate"),
    [
        ({"type": "audio/pcm", "rate": 24_000}, "linear16", 24_000),
        ({"type": "audio/pcm", "rate": 16_000}, "linear16", 16_000),
        ({"type": "audio/pcm"}, "linear16", 24_000),
        ({"type": "audio/pcmu"}, "mulaw", 8_000),
        ({"type": "audio/pcma"}, "alaw", 8_000),
    ],
)
def test_formats(form: Event, encoding: str, rate: int) -> None:
    wanted = update(codec(), audio(format=form)).options.format
    assert (wanted.encoding, wanted.sample_rate, wanted.channels) == (encoding, rate, 1)


def test_an_update_keeps_what_it_does_not_name() -> None:
    """Guards clients that clear or set one field of a running session, as livekit's do."""
    one = codec()
    updated(one, audio(transcription={"model": "whisper-1", "language": "en", "prompt": "a"}))
    shown = updated(one, audio(transcription={"prompt": None}, turn_detection=None))["audio"]
    assert shown["input"]["transcription"] == {"model": "whisper-1", "language": "en"}
    assert shown["input"]["turn_detection"] is None
    vad = {"type": "server_vad", "threshold": 0.7}
    assert updated(one, audio(turn_detection=vad))["audio"]["input"]["turn_detection"] == {
        **vad,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
    }


def test_a_refused_update_leaves_the_session_as_it_was() -> None:
    one = codec()
    updated(one, audio(transcription={"language": "en"}))
    ask = update(one, audio(transcription={"language": "xx"}))
    (error,) = write(one, told.Refused("Nobody speaks xx", ask.detail))
    assert (error["type"], error["error"]["message"]) == ("error", "Nobody speaks xx")
    shown = updated(one, audio(noise_reduction=None))
    assert shown["audio"]["input"]["transcription"] == {"language": "en"}


@pytest.mark.parametrize("headers", [BETA, {}])
def test_beta_shapes_are_answered_in_kind(headers: Mapping[str, str]) -> None:
    one = codec(headers=headers)
    wanted = {
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1", "language": "en", "prompt": ""},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
        "input_audio_noise_reduction": {"type": "near_field"},
        "include": [],
    }
    ask = update(one, wanted, "transcription_session.update")
    assert ask.options.format.encoding == "mulaw"
    (event,) = write(one, told.Configured(ask.detail))
    assert event["type"] == "transcription_session.updated"
    assert event["session"]["input_audio_format"] == "g711_ulaw"
    assert event["session"]["turn_detection"]["silence_duration_ms"] == 300
    assert event["session"]["client_secret"]["value"] == ""
    ended = write(one, final("Hello.", 0.0, 1.0))
    assert "item created" in kinds(ended)
    assert "item added" not in kinds(ended)


def test_beta_header_is_seen_before_the_first_event() -> None:
    (created,) = write(codec(headers=BETA), told.Opened("sid", 1))
    assert created["type"] == "transcription_session.created"


@pytest.mark.parametrize(
    ("event", "param"),
    [
        (audio(format={"type": "audio/mp3"}), "session.format.type"),
        (audio(format={"type": "audio/pcm", "rate": 5}), "session.format.rate"),
        (audio(turn_detection={"type": "telepathy"}), "session.turn_detection.type"),
        (audio(transcription={"language": "no language"}), "session.transcription.language"),
        (audio(transcription="whisper-1"), "session.transcription"),
        ({"type": "realtime"}, "session.type"),
        ({"audio": 7}, "session"),
        ({"include": ["everything"]}, "session.include[0]"),
        ([], "session"),
    ],
)
def test_what_is_wrong_with_an_update_is_named(event: Any, param: str) -> None:
    (refused,) = read(codec(), {"type": "session.update", "event_id": "mine", "session": event})
    assert isinstance(refused, asks.Refuse)
    (error,) = write(codec(), told.Refused(refused.message, refused.detail))
    assert error["error"]["param"] == param, error
    assert error["error"]["event_id"] == "mine"


# Audio.


def test_audio_is_decoded() -> None:
    assert read(codec(), {"type": APPEND, "audio": "QUJD"}) == (asks.Audio(b"ABC"),)
    assert read(codec(), {"type": APPEND, "audio": ""}) == ()


@pytest.mark.parametrize(
    "event",
    [
        {"type": APPEND, "audio": "QUJ"},
        {"type": APPEND, "audio": "not base64!"},
        {"type": APPEND, "audio": None},
        {"type": APPEND, "audio": {"deep": [1]}},
        {"type": APPEND},
        {"type": "response.create"},
        {"type": 7},
        {"no": "type"},
        {"type": "session.update", "session": {"prompt": "x" * TEXT_BYTES}},
        [],
        "no json",
        "[" * 10_000,
        b"samples",
    ],
)
def test_what_is_no_event_is_refused_and_the_call_goes_on(event: Any) -> None:
    one = codec()
    (refused,) = read(one, event)
    assert isinstance(refused, asks.Refuse)
    (error,) = write(one, told.Refused(refused.message, refused.detail))
    assert error["type"] == "error"
    assert error["error"]["type"] == "invalid_request_error"
    assert isinstance(append(one, 0.1), asks.Audio)


def test_error_names_the_clients_own_event() -> None:
    one = codec()
    (refused,) = read(one, {"type": APPEND, "event_id": "mine", "audio": "?"})
    assert isinstance(refused, asks.Refuse)
    (error,) = write(one, told.Refused(refused.message, refused.detail))
    assert error["error"]["event_id"] == "mine"
    assert error["error"]["param"] == "audio"


# The end.


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Draining("Connect again."), 1012),
        (NoCapacity("full"), 1013),
        (BrokerUnavailable(), 1013),
        (EngineFailure("The engine failed."), 1011),
    ],
)
def test_full_and_failing_gateways_close_without_an_error_event(error: Any, code: int) -> None:
    """Guards livekit's plugin: whatever ``error`` says, it never comes back."""
    one = committing()
    append(one, 1.0)
    read(one, COMMIT)
    assert kinds(write(one, told.Failed(error))) == [
        "committed",
        "item added",
        "item done",
        "failed",
    ]
    assert (one.close(error).code, one.close(error).reason) == (code, str(error))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OverLimit("Try again tomorrow.", retry_after=60), "rate_limit_exceeded"),
        (Unauthorized("Revoked."), "invalid_api_key"),
    ],
)
def test_client_that_may_not_go_on_is_told_why_in_an_event(error: Any, code: str) -> None:
    """Guards the vendor's package for Node, whose user hears nothing of a close."""
    (event,) = write(codec(), told.Failed(error))
    assert event["type"] == "error"
    assert event["error"]["code"] == code
    assert event["error"]["message"] == str(error)


def test_a_client_that_goes_on_doing_wrong_is_closed_with_the_reason() -> None:
    one = codec()
    error = TooManyRefusals("Send audio.")
    assert write(one, told.Failed(error)) == []
    assert one.close(error).code == 1008
    assert one.close(error).reason == str(error)


def test_prompt_and_keywords_are_what_is_probably_said() -> None:
    one = codec()
    ask = update(one, audio(transcription={"prompt": "Ada, Valkey", "keywords": ["Moa"]}))
    assert ask.options.session.keyterms == ("Ada", "Valkey", "Moa")
    many = audio(transcription={"prompt": ",".join(map(str, range(999)))})
    assert len(update(one, many).options.session.keyterms) == 100
