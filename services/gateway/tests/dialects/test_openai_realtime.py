"""The codec of OpenAI's realtime transcription: events in, asks out; told in, events out."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from scripta_common.errors import (
    BadRequest,
    BrokerUnavailable,
    Draining,
    EngineFailure,
    NoCapacity,
    TooManyRefusals,
    UnknownModel,
)
from scripta_common.wire import Final, Interim, Reason, Speech, SpeechKind, Word
from scripta_gateway.bounds import TEXT_BYTES
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.model_names import ModelNames
from scripta_gateway.dialects.openai import RealtimeCodec, RealtimeDialect
from scripta_gateway.dialects.openai.models import TRANSCRIPTION_MODELS
from scripta_gateway.transports.base import Request

pytestmark = pytest.mark.unit

Event = dict[str, Any]
RATE = 24_000
BETA = {"openai-beta": "realtime=v1"}
APPEND = "input_audio_buffer.append"
COMMIT = {"type": "input_audio_buffer.commit", "event_id": "mine"}
DIALECT = RealtimeDialect(ModelNames(TRANSCRIPTION_MODELS, {"whisper-1": "whisper"}))


def request(query: str = "intent=transcription", headers: Mapping[str, str] = {}) -> Request:
    pairs = [tuple(pair.split("=", 1)) for pair in query.split("&") if pair]
    return Request("ab" * 16, 1_770_000_000.5, "/v1/realtime", pairs, headers)  # type: ignore[arg-type]


def codec(query: str = "intent=transcription", headers: Mapping[str, str] = {}) -> RealtimeCodec:
    return DIALECT.begin(request(query, headers))


def read(one: RealtimeCodec, event: Any) -> tuple[asks.Ask, ...]:
    return tuple(one.read(event if isinstance(event, str | bytes) else json.dumps(event)))


def write(one: RealtimeCodec, *news: told.Told) -> list[Event]:
    return [json.loads(frame) for each in news for frame in one.write(each)]


def kinds(events: Iterable[Event]) -> list[str]:
    """Returns the types of events, without what they have in common."""
    return [
        event["type"]
        .replace("conversation.item.input_audio_transcription.", "")
        .replace("conversation.item.", "item ")
        .replace("input_audio_buffer.", "")
        for event in events
    ]


def update(one: RealtimeCodec, session: Event, kind: str = "session.update") -> asks.Configure:
    (ask,) = read(one, {"type": kind, "session": session})
    assert isinstance(ask, asks.Configure), ask
    return ask


def updated(one: RealtimeCodec, session: Event, kind: str = "session.update") -> Event:
    """Updates the session and returns it as the client is shown it."""
    ask = update(one, session, kind)
    (event,) = write(one, told.Configured(ask.detail))
    shown: Event = event["session"]
    return shown


def audio(**fields: Any) -> Event:
    return {"type": "transcription", "audio": {"input": fields}}


def append(one: RealtimeCodec, seconds: float) -> asks.Ask:
    samples = base64.b64encode(bytes(2 * round(seconds * RATE))).decode()
    (ask,) = read(one, {"type": APPEND, "audio": samples})
    return ask


def heard(kind: SpeechKind, at: float) -> told.Heard:
    return told.Heard(0, Speech(kind, at))


def guess(stable: str, start: float, end: float) -> told.Guess:
    return told.Guess(0, Interim(start, end, f"{stable} and", stable))


def final(
    text: str, start: float, end: float, reason: Reason = Reason.ENDPOINT, **more: Any
) -> told.Decided:
    return told.Decided(0, Final(1, start, end, text, reason, **more))


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


# Turns that the server finds.


def test_a_turn_is_told_in_the_vendors_order() -> None:
    events = write(
        codec(),
        heard(SpeechKind.STARTED, 0.4),
        guess("Ever", 0.2, 0.9),
        guess("Ever tried.", 0.2, 1.6),
        heard(SpeechKind.STOPPED, 1.8),
        final("Ever tried. Ever failed.", 0.2, 2.0, language="en"),
        heard(SpeechKind.STARTED, 2.5),
        heard(SpeechKind.STOPPED, 3.0),
        final("No matter.", 2.3, 3.2),
    )
    turn = ["speech_started", "speech_stopped", "committed", "item added", "item done"]
    assert kinds(events) == [
        *("speech_started", "delta", "delta", "speech_stopped", "committed"),
        *("item added", "item done", "delta", "completed"),
        *turn,
        *("delta", "completed"),
    ]
    first, second = events[0]["item_id"], events[9]["item_id"]
    assert first != second
    assert [event["previous_item_id"] for event in events if "previous_item_id" in event] == [
        *(None, None, None),
        *(first, first, first),
    ]
    assert (events[0]["audio_start_ms"], events[3]["audio_end_ms"]) == (400, 1800)
    deltas = [event["delta"] for event in events if "delta" in event]
    assert deltas == ["Ever", " tried.", " Ever failed.", "No matter."]
    completed = events[8]
    assert completed["transcript"] == "Ever tried. Ever failed."
    assert completed["languages"] == [{"code": "en"}]
    assert completed["usage"] == {"type": "duration", "seconds": 1.4}
    assert completed["logprobs"] is None
    assert "languages" not in events[-1]
    assert len({event["event_id"] for event in events}) == len(events)


def test_turns_are_complete_without_signals_of_speech() -> None:
    """Guards transcribers of the last release, and signals that are lost: nobody is owed one."""
    events = write(codec(), guess("", 0.1, 0.9), final("Ever tried.", 0.1, 2.0))
    assert kinds(events) == [
        *("speech_started", "speech_stopped", "committed", "item added", "item done"),
        *("delta", "completed"),
    ]
    assert len({event["item_id"] for event in events if "item_id" in event}) == 1


def test_a_noise_is_no_turn() -> None:
    one = codec()
    write(one, heard(SpeechKind.STARTED, 0.4), heard(SpeechKind.STOPPED, 0.5))
    events = write(one, heard(SpeechKind.STARTED, 2.0), final("Words.", 1.8, 2.9))
    ids = {event["item_id"] for event in events if "item_id" in event}
    assert len(ids) == 1
    assert kinds(events)[-1] == "completed"


def test_speech_may_begin_before_the_turn_before_it_is_decided() -> None:
    events = write(
        codec(),
        heard(SpeechKind.STARTED, 0.4),
        heard(SpeechKind.STOPPED, 1.0),
        heard(SpeechKind.STARTED, 1.6),
        final("One.", 0.2, 1.2),
        guess("Two", 1.4, 2.0),
        final("Two.", 1.4, 2.6),
    )
    started = [event["item_id"] for event in events if event["type"].endswith("speech_started")]
    completed = [event for event in events if event["type"].endswith("completed")]
    assert [(event["item_id"], event["transcript"]) for event in completed] == [
        (started[0], "One."),
        (started[1], "Two."),
    ]


def test_silence_alone_is_no_turn() -> None:
    assert write(codec(), final("", 0.0, 1.0, Reason.IDLE)) == []


@pytest.mark.parametrize(
    ("told_before", "text", "rest"),
    [
        ("Ever tried", "Ever tried. Ever failed.", " Ever failed."),
        ("forty two apples", "42 apples today.", " today."),
        ("It was the", "That was the best.", " best."),
        ("It was the best of", "It was the best", None),
        ("", "Ever tried.", "Ever tried."),
    ],
)
def test_deltas_only_append_whatever_the_final_is(
    told_before: str, text: str, rest: str | None
) -> None:
    one = codec()
    deltas = [
        event["delta"]
        for event in write(one, guess(told_before, 0, 1), final(text, 0, 2))
        if "delta" in event
    ]
    assert deltas == [piece for piece in (told_before, rest) if piece]


def test_stable_words_that_change_are_not_told_again() -> None:
    """Guards a replay by another transcriber, which may hear the same in other words."""
    one = codec()
    events = write(
        one, guess("Ever tried", 0, 1), guess("Never", 0, 1), guess("Ever tried it", 0, 2)
    )
    assert [event["delta"] for event in events if "delta" in event] == ["Ever tried", " it"]


def test_logprobs_are_those_of_the_words_if_they_are_wanted() -> None:
    one = codec()
    include = ["item.input_audio_transcription.logprobs"]
    assert updated(one, {"include": include})["include"] == include
    words = (Word("Ever", 0.0, 0.4, 0.5), Word("tried.", 0.4, 1.0, None))
    completed = write(one, final("Ever tried.", 0.0, 1.0, words=words))[-1]
    assert completed["logprobs"] == [
        {"token": "Ever", "logprob": -0.693147, "bytes": [69, 118, 101, 114]}
    ]


# Turns that the client commits.


def committing() -> RealtimeCodec:
    one = codec()
    assert updated(one, audio(turn_detection=None))["audio"]["input"]["turn_detection"] is None
    return one


def test_a_commit_makes_one_item_of_all_segments() -> None:
    one = committing()
    append(one, 20.0)
    before = write(one, guess("It was", 0, 3), final("It was the best.", 0, 15, Reason.LENGTH))
    finalize, note = read(one, COMMIT)
    assert finalize == asks.Finalize()
    assert isinstance(note, asks.Note)
    events = write(
        one,
        told.Noted(note.detail),
        guess("It was the", 15, 18),
        final("It was the worst.", 15, 20, Reason.FINALIZE),
    )
    assert kinds([*before, *events]) == [
        *("delta", "delta", "committed", "item added", "item done"),
        *("delta", "delta", "completed"),
    ]
    assert "".join(event.get("delta", "") for event in [*before, *events]) == (
        "It was the best. It was the worst."
    )
    assert events[-1]["transcript"] == "It was the best. It was the worst."
    assert events[-1]["usage"]["seconds"] == 20.0


def test_a_final_that_overtakes_the_answer_to_its_commit_waits_for_nothing() -> None:
    one = committing()
    append(one, 1.0)
    _, note = read(one, COMMIT)
    assert isinstance(note, asks.Note)
    events = write(one, final("Yes.", 0, 1, Reason.FINALIZE))
    assert kinds(events) == ["committed", "item added", "item done", "delta", "completed"]
    assert write(one, told.Noted(note.detail)) == []


def test_commits_come_in_their_order_and_of_nothing_too() -> None:
    one = committing()
    append(one, 1.0)
    _, first = read(one, COMMIT)
    append(one, 1.0)
    _, second = read(one, COMMIT)
    assert isinstance(first, asks.Note)
    assert isinstance(second, asks.Note)
    events = write(
        one,
        told.Noted(first.detail),
        told.Noted(second.detail),
        final("One.", 0, 1, Reason.FINALIZE),
        final("", 2, 2, Reason.FINALIZE),
    )
    completed = [event for event in events if event["type"].endswith("completed")]
    assert [event["transcript"] for event in completed] == ["One.", ""]
    committed = [event for event in events if event["type"].endswith("committed")]
    assert committed[1]["previous_item_id"] == committed[0]["item_id"]
    assert [event["item_id"] for event in completed] == [event["item_id"] for event in committed]


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.099])
def test_a_commit_of_hardly_anything_is_refused(seconds: float) -> None:
    one = committing()
    append(one, 1.0)
    read(one, COMMIT)
    if seconds:
        append(one, seconds)
    (refused,) = read(one, COMMIT)
    assert isinstance(refused, asks.Refuse)
    (error,) = write(one, told.Refused(refused.message, refused.detail))
    assert error["error"]["code"] == "input_audio_buffer_commit_empty"
    assert error["error"]["event_id"] == "mine"


def test_a_commit_ends_a_turn_that_the_server_has_found() -> None:
    one = codec()
    append(one, 2.0)
    started = write(one, heard(SpeechKind.STARTED, 0.5), guess("Ever", 0.3, 1.0))
    _, note = read(one, COMMIT)
    assert isinstance(note, asks.Note)
    events = write(one, told.Noted(note.detail), final("Ever tried.", 0.3, 2.0, Reason.FINALIZE))
    assert kinds(events) == [
        *("speech_stopped", "committed", "item added", "item done", "delta", "completed"),
    ]
    assert {e["item_id"] for e in [*started, *events] if "item_id" in e} == {started[0]["item_id"]}


def test_what_is_cleared_is_in_no_item() -> None:
    one = committing()
    append(one, 1.0)
    asked = read(one, {"type": "input_audio_buffer.clear"})
    assert asked[0] == asks.Clear()
    assert isinstance(asked[1], asks.Note)
    assert kinds(write(one, told.Noted(asked[1].detail))) == ["cleared"]
    append(one, 1.0)
    read(one, COMMIT)
    late = write(
        one,
        guess("Forget", 0.0, 0.5),
        final("Forget this.", 0.0, 0.7, Reason.LENGTH),
    )
    events = write(one, final("Keep this.", 1.0, 2.0, Reason.FINALIZE))
    assert late == []
    assert events[-1]["transcript"] == "Keep this."
    assert events[-1]["usage"]["seconds"] == 1.0


def test_what_has_ended_is_not_cleared() -> None:
    one = codec()
    append(one, 1.5)
    write(one, heard(SpeechKind.STARTED, 0.2), heard(SpeechKind.STOPPED, 0.8))
    write(one, heard(SpeechKind.STARTED, 1.2))
    read(one, {"type": "input_audio_buffer.clear"})
    events = write(one, final("Kept.", 0.1, 1.0), final("Forgotten.", 1.1, 1.5))
    assert [event["transcript"] for event in events if "transcript" in event] == ["Kept."]


def test_times_go_on_in_the_next_session_of_a_call() -> None:
    one = codec()
    append(one, 4.0)
    ask = update(one, audio(transcription={"language": "de"}))
    write(one, told.Configured(ask.detail, behind=4.0))
    (started,) = write(one, heard(SpeechKind.STARTED, 0.5))
    assert started["audio_start_ms"] == 4500


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


def test_a_client_that_goes_on_doing_wrong_is_closed_with_the_reason() -> None:
    one = codec()
    error = TooManyRefusals("Send audio.")
    assert write(one, told.Failed(error)) == []
    assert one.close(error).code == 1008
    assert one.close(error).reason == str(error)
