"""Frames of the native dialect, byte for byte: clients outside this repository read them."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripta_common.errors import BadRequest, EngineFailure
from scripta_common.sessionlog import SessionOptions
from scripta_common.wire import Final, Interim, Reason, Word
from scripta_gateway.dialects.native import frames
from scripta_gateway.dialects.native.frames import BadFrame, Command, Query, parse_command
from scripta_gateway.dialects.told import Opened

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('{"type":"finalize"}', Command.FINALIZE),
        ('{"type":"keepalive"}', Command.KEEPALIVE),
        (' { "type" : "end", "more": [1] } ', Command.END),
    ],
)
def test_commands_are_understood(text: str, command: Command) -> None:
    assert parse_command(text) is command


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "finalize", '{"type":"end"', '{"type":"end"} {', "\x00", '{"type":"\\ud800"}'),
        '{"more":' + "[" * 200_000,
    ],
)
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(BadFrame, match=r"^Message is not valid JSON$"):
        parse_command(text)


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "null",
        "[]",
        "[" * 200_000,
        '"end"',
        "{}",
        '{"type":1}',
        '{"type":null}',
        '{"Type":"end"}',
    ],
)
def test_json_without_a_type_is_refused(text: str) -> None:
    with pytest.raises(BadFrame, match=r'^Message has no "type"$'):
        parse_command(text)


def test_unknown_type_is_named_and_cut_short() -> None:
    with pytest.raises(BadFrame, match=r"^Unknown message type: 'stop' "):
        parse_command('{"type":"stop"}')
    with pytest.raises(BadFrame) as refused:
        parse_command(json.dumps({"type": "x" * 10_000}))
    assert len(str(refused.value)) < 150


@given(st.text(max_size=50))
def test_no_text_breaks_the_parser(text: str) -> None:
    with suppress(BadFrame):
        assert parse_command(text) in Command


def test_acknowledgement() -> None:
    assert frames.received(1024) == '{"status":"received","size":1024}'


def test_refusal() -> None:
    assert frames.refused("Audio data is empty") == (
        '{"status":"error","error":"Audio data is empty"}'
    )


def test_failure() -> None:
    assert frames.failed(EngineFailure("It broke.")) == (
        '{"status":"error","error":"It broke.","code":"engine_failure"}'
    )


def test_events() -> None:
    opening = Opened("abc", 5, "moonshine", resume_seconds=30.0)
    assert frames.opened(opening) == (
        '{"status":"session","session":"abc","client_id":5,"resumed":false,"received":0,'
        '"resume_seconds":30.0}'
    )
    refused = Opened("abc", 5, resume_seconds=30.0, reason="unknown")
    assert frames.opened(refused).endswith(',"resume_seconds":30.0,"reason":"unknown"}')
    offered = Opened("abc", 5, resume_seconds=30.0, token="abc.s3cret")
    assert frames.opened(offered).endswith(',"resume_seconds":30.0,"token":"abc.s3cret"}')
    assert "s3cret" not in repr(offered)
    assert frames.going_away(7) == '{"status":"going_away","received":7}'
    assert frames.ended(1.23456) == '{"status":"ended","duration":1.235}'


def test_transcript_with_all_that_there_can_be() -> None:
    words = (Word("hello", 0.10004, 0.4), Word("“world”", 0.4, 1.9, 0.87654))
    final = Final(2, 0.0, 1.98049, "hello “world”", Reason.ENDPOINT, words, True, 0.93149, "en")
    assert frames.transcript(7, final) == (
        '{"client_id":7,"text":"hello “world”","status":"transcript","index":2,"start":0.0,'
        '"end":1.98,"reason":"endpoint","words":[{"word":"hello","start":0.1,"end":0.4},'
        '{"word":"“world”","start":0.4,"end":1.9,"confidence":0.877}],"words_estimated":true,'
        '"confidence":0.931,"language":"en"}'
    )


def test_transcript_of_nothing() -> None:
    assert frames.transcript(2**53 - 1, Final(1, 1.0, 1.0, "", Reason.IDLE)) == (
        '{"client_id":9007199254740991,"text":"","status":"transcript","index":1,"start":1.0,'
        '"end":1.0,"reason":"idle","words":[],"words_estimated":false,"confidence":null,'
        '"language":null}'
    )


@pytest.mark.parametrize("reason", Reason)
def test_transcript_says_why_it_ended(reason: Reason) -> None:
    frame = json.loads(frames.transcript(1, Final(1, 0.0, 0.0, "", reason)))
    assert frame["reason"] in {"endpoint", "length", "finalize", "idle", "end", "message"}


def test_interim() -> None:
    assert frames.interim(7, Interim(0.5, 1.23456, "so far so", "so far")) == (
        '{"client_id":7,"text":"so far so","status":"interim","stable":"so far","start":0.5,'
        '"end":1.235}'
    )


def asked(parameters: dict[str, str]) -> Query:
    return Query.parse(parameters.items())


def test_query_defaults() -> None:
    query = Query.parse([])
    assert (query.encoding, query.sample_rate, query.channels) == (None, 16_000, 1)
    assert (query.interim_results, query.events, query.word_times) == (False, False, True)
    assert query.options() == SessionOptions()


def test_query_with_everything_and_names_that_are_not_known() -> None:
    model = "sherpa-".ljust(128, "x")
    query = asked(
        {
            "encoding": "mulaw",
            "sample_rate": "8000",
            "channels": "2",
            "language": "en-GB",
            "interim_results": "true",
            "endpointing": "300",
            "max_segment": "30000",
            "word_times": "false",
            "events": "1",
            "model": model,
            "keyterms": "Valkey,  Ada\tLovelace, ,Valkey",
            "tier": "nova",
        }
    )
    assert (query.encoding, query.sample_rate, query.channels) == ("mulaw", 8000, 2)
    assert query.events
    assert query.options() == SessionOptions(
        "en-GB",
        True,
        300,
        model=model,
        max_segment_ms=30_000,
        word_times=False,
        keyterms=("Valkey", "Ada Lovelace"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoding", "opus"),
        ("encoding", ""),
        ("sample_rate", "7999"),
        ("sample_rate", "96001"),
        ("sample_rate", "fast"),
        ("channels", "0"),
        ("channels", "9"),
        ("language", "english please"),
        ("language", "en\n"),
        ("language", "x" * 100),
        ("model", ""),
        ("model", "a model"),
        ("model", "x" * 129),
        ("interim_results", "maybe"),
        ("endpointing", "99"),
        ("endpointing", "5001"),
        ("endpointing", "nan"),
        ("max_segment", "1999"),
        ("max_segment", "30001"),
        ("max_segment", "2.5"),
        ("max_segment", ""),
        ("word_times", "all"),
        ("events", "2"),
        ("keyterms", ",".join(map(str, range(101)))),
        ("keyterms", "x" * 2001),
        ("keyterms", "a\0b"),
    ],
)
def test_bad_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(BadRequest, match=f"^Bad value for {name}: "):
        asked({name: value})


def test_bad_values_are_told_in_plain_words_with_nothing_of_what_was_sent() -> None:
    """It may be a token, under another name. Nor does a pattern tell anybody anything."""
    for name in ("resume", "from", "encoding", "sample_rate", "language", "model", "events"):
        with pytest.raises(BadRequest) as refused:
            asked({name: "s3cret!"})
        text = str(refused.value)
        assert text.startswith(f"Bad value for {name}: it has to be ")
        assert "s3cret" not in text
        assert not set(text) & set("^$[]{}\\")


def test_every_parameter_says_what_it_takes() -> None:
    assert all(field.description for field in Query.model_fields.values())


@pytest.mark.parametrize("name", ["encoding", "from", "events"])
def test_parameter_that_is_given_twice_is_refused(name: str) -> None:
    """Which of the two counts would be a guess, and another one in each proxy."""
    value = {"encoding": "mulaw", "from": "1", "events": "true"}[name]
    with pytest.raises(BadRequest, match=f"^{name} is given more than once$"):
        Query.parse([(name, value), ("tier", "a"), (name, value)])
    Query.parse([("tier", "a"), ("tier", "b")])  # nobody's but the client's own


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [*(field.alias or name for name, field in Query.model_fields.items()), "tier"]
            ),
            st.text(max_size=20) | st.sampled_from(["1", "true", "16000", "en", "auto"]),
        ),
        max_size=6,
    )
)
def test_no_query_breaks_the_parser(parameters: list[tuple[str, str]]) -> None:
    with suppress(BadRequest):
        query = Query.parse(parameters)
        assert len(query.options().encode()) < 500
