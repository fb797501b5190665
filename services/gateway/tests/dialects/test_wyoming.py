"""Wyoming's dialect: events out of bytes in any pieces, and what each of them asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripta_common.errors import NoCapacity
from scripta_common.models import Model
from scripta_common.wire import Final, Interim, Reason
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.wyoming import WyomingDialect
from scripta_gateway.dialects.wyoming.codec import WyomingCodec
from scripta_gateway.dialects.wyoming.events import BadEvent, Event, Events, encode
from scripta_gateway.transports.base import Request

pytestmark = pytest.mark.unit

REQUEST = Request(id="a" * 32, at=0.0)
SERVED = [Model(("moonshine", "moonshine-tiny-en"), ("en",))]
DIALECT = WyomingDialect(lambda: SERVED, {"small": "moonshine-tiny-en"}, 4096)
FORM = {"rate": 16000, "width": 2, "channels": 1}


@pytest.fixture
def codec() -> WyomingCodec:
    return DIALECT.begin(REQUEST)


def event(kind: str, data: dict[str, Any] | None = None, payload: bytes = b"") -> bytes:
    header = {"type": kind, "data": data or {}, "payload_length": len(payload)}
    return json.dumps(header).encode() + b"\n" + payload


def events(frames: Any) -> list[tuple[str, dict[str, Any]]]:
    found = list(Events(4096).feed(b"".join(frames)))
    return [(each.type, dict(each.data)) for each in found]


def test_data_behind_the_header_are_merged_over_those_in_it() -> None:
    data = b'{"b":2,"c":3}'
    header = {"type": "x", "data": {"a": 1, "b": 1}, "data_length": 13, "payload_length": 2}
    whole = json.dumps(header).encode() + b"\n" + data + b"\x00\n" + event("y")
    expected = [Event("x", {"a": 1, "b": 2, "c": 3}, b"\x00\n"), Event("y")]
    assert list(Events(4096).feed(whole)) == expected


@given(st.lists(st.integers(1, 40), max_size=40))
def test_pieces_of_any_size_come_to_the_same_events(sizes: list[int]) -> None:
    whole = event("audio-chunk", dict(FORM), b"\n{}ab") + event("audio-stop")
    reader, found, at = Events(4096), [], 0
    for size in [*sizes, len(whole)]:
        found += reader.feed(whole[at : at + size])
        at += size
    assert [each.type for each in found] == ["audio-chunk", "audio-stop"]
    assert found[0].payload == b"\n{}ab"


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"[]\n",
        b'{"type":1}\n',
        b'{"type":"x","payload_length":4097}\n',
        b'{"type":"x","payload_length":-1}\n',
        b'{"type":"x","data_length":70000}\n',
        b'{"type":"x","data_length":2}\n{]',
        b"x" * 70_000,
    ],
)
def test_what_is_no_event_ends_the_connection_with_an_error(
    codec: WyomingCodec, data: bytes
) -> None:
    with pytest.raises(BadEvent):
        list(Events(4096).feed(data))
    refuse, end = codec.read(data)
    assert isinstance(refuse, asks.Refuse)
    assert isinstance(end, asks.End)
    ((kind, body),) = events(codec.write(told.Refused(refuse.message)))
    assert (kind, body["code"]) == ("error", "bad_request")
    assert codec.write(told.Ended(0.0)) == ()
    assert codec.read(event("describe")) == ()


@settings(max_examples=1000)
@given(st.one_of(st.binary(), st.builds(event, st.text(), st.dictionaries(st.text(), st.none()))))
def test_no_bytes_raise(data: bytes) -> None:
    DIALECT.begin(REQUEST).read(data)


def test_utterance_of_home_assistant(codec: WyomingCodec) -> None:
    (configure,) = codec.read(event("transcribe", {"name": "small", "language": "en_GB"}))
    assert isinstance(configure, asks.Configure)
    assert configure.options.session.model == "moonshine-tiny-en"
    assert configure.options.session.language == "en-GB"
    (configure,) = codec.read(event("audio-start", {**FORM, "rate": 22050, "timestamp": 0}))
    assert isinstance(configure, asks.Configure)
    assert configure.options.format.sample_rate == 22050
    assert configure.options.session.language == "en-GB"
    chunk = event("audio-chunk", {**FORM, "rate": 22050}, b"ab")
    assert codec.read(chunk) == [asks.Audio(b"ab")]
    assert codec.read(event("audio-stop", {"timestamp": 3})) == [asks.End()]


def test_transcript_grows_and_comes_whole(codec: WyomingCodec) -> None:
    codec.read(event("transcribe", {"language": "en"}))
    heard = events(codec.write(told.Guess(0, Interim(0.0, 1.0, "Hello, wor", "Hello,"))))
    heard += events(codec.write(told.Decided(0, Final(1, 0.0, 1.0, "Hello, world.", Reason.END))))
    heard += events(codec.write(told.Decided(0, Final(2, 1.0, 2.0, "Bye.", Reason.END))))
    heard += events(codec.write(told.Ended(2.0)))
    assert heard == [
        ("transcript-start", {"language": "en"}),
        ("transcript-chunk", {"text": "Hello,"}),
        ("transcript-chunk", {"text": " world."}),
        ("transcript-chunk", {"text": " Bye."}),
        ("transcript", {"text": "Hello, world. Bye.", "language": "en"}),
        ("transcript-stop", {}),
    ]


def test_silence_is_an_empty_transcript(codec: WyomingCodec) -> None:
    kinds = [kind for kind, _ in events(codec.write(told.Ended(1.0)))]
    assert kinds == ["transcript-start", "transcript", "transcript-stop"]


@pytest.mark.parametrize(
    "form",
    [
        {**FORM, "width": 4},
        {**FORM, "rate": 4000},
        {**FORM, "rate": "fast"},
        {**FORM, "channels": 99},
        {"width": 2},
    ],
)
def test_audio_that_can_not_be_taken_is_refused(codec: WyomingCodec, form: dict[str, Any]) -> None:
    (refuse,) = codec.read(event("audio-start", form))
    assert isinstance(refuse, asks.Refuse)


def test_ping_is_answered_and_other_services_events_are_passed_over(codec: WyomingCodec) -> None:
    (pong,) = codec.read(event("ping", {"text": "x"}))
    assert isinstance(pong, asks.Reply)
    assert events(pong.frames) == [("pong", {"text": "x"})]
    assert codec.read(event("select-program", {"name": "x"})) == []


def test_errors_are_events() -> None:
    error = NoCapacity("Full.")
    assert events(DIALECT.begin(REQUEST).write(told.Failed(error))) == [
        ("error", {"text": "Full.", "code": "no_capacity"})
    ]
    assert DIALECT.refuse(REQUEST, error).body.encode() == encode(
        "error", {"text": "Full.", "code": "no_capacity"}
    )


def test_connection_may_begin_before_the_models_are_known() -> None:
    """Guards a gateway that has just been started: the codec is there before its session."""

    def unknown() -> list[Model]:
        raise RuntimeError("not seen yet")

    codec = WyomingDialect(unknown, {}, 4096).begin(REQUEST)
    assert codec.read(event("ping"))
