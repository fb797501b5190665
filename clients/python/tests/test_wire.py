from __future__ import annotations

import json

import pytest

from scripta_client.errors import InvalidUrl, ProtocolViolation
from scripta_client.events import Ended, Final, GoingAway, Interim, Word
from scripta_client.wire import AudioFormat, Failure, Opened, Options, Place, Received, parse

pytestmark = pytest.mark.unit

FINAL = {
    "client_id": 7,
    "text": "hello",
    "status": "transcript",
    "index": 1,
    "start": 0.0,
    "end": 1.98,
    "reason": "endpoint",
    "words": [{"word": "hello", "start": 0.1, "end": 0.4}],
    "words_estimated": True,
    "confidence": 0.93,
    "language": "en",
}


@pytest.mark.parametrize(
    ("frame", "meaning"),
    [
        ({"status": "received", "size": 3}, Received(3)),
        ({"status": "session", "session": "s", "client_id": 4}, Opened("s", 4)),
        (
            {
                "status": "session",
                "session": "s",
                "client_id": 4,
                "resumed": True,
                "received": 7,
                "resume_seconds": 30,
            },
            Opened("s", 4, True, 7, 30.0),
        ),
        (
            {"status": "session", "session": "s", "client_id": 4, "resumed": False, "reason": "x"},
            Opened("s", 4, reason="x"),
        ),
        (
            {"status": "session", "session": "s", "client_id": 4, "token": "s.secret"},
            Opened("s", 4, token="s.secret"),
        ),
        ({"status": "error", "error": "no"}, Failure("no", None)),
        ({"status": "error", "error": "no", "code": "bad"}, Failure("no", "bad")),
        ({"status": "going_away"}, GoingAway()),
        ({"status": "ended", "duration": 2}, Ended(2.0)),
        (
            {"status": "interim", "text": "a b", "stable": "a", "start": 0, "end": 1.5},
            Interim("a b", "a", 0.0, 1.5),
        ),
        (
            FINAL,
            Final(1, "hello", 0.0, 1.98, "endpoint", (Word("hello", 0.1, 0.4),), True, 0.93, "en"),
        ),
        (
            FINAL | {"confidence": None, "language": None, "words": None, "words_estimated": False},
            Final(1, "hello", 0.0, 1.98, "endpoint"),
        ),
        ({"status": "something new"}, None),
    ],
)
def test_frames_are_read(frame, meaning):
    assert parse(json.dumps(frame)) == meaning


def test_keys_of_a_newer_server_are_ignored():
    assert parse(json.dumps(FINAL | {"speaker": 3})) == parse(json.dumps(FINAL))


@pytest.mark.parametrize(
    "data",
    [
        b"binary",
        "",
        "not json",
        "[]",
        '{"status":"received"}',
        '{"status":"received","size":"3"}',
        '{"status":"received","size":true}',
        '{"status":"session","session":"s","client_id":4,"received":"7"}',
        '{"status":"session","session":"s","client_id":4,"resume_seconds":"30"}',
        '{"status":"session","session":"s","client_id":4,"token":7}',
        json.dumps(FINAL | {"index": None}),
        json.dumps(FINAL | {"text": 3}),
        json.dumps(FINAL | {"start": "0"}),
        json.dumps(FINAL | {"words": [3]}),
        json.dumps(FINAL | {"words": [{"word": "x"}]}),
    ],
)
def test_what_is_no_frame_is_a_violation(data):
    with pytest.raises(ProtocolViolation):
        parse(data)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("ws://h:8000/ws", "ws://h:8000/ws?events=true"),
        ("ws://h", "ws://h/ws?events=true"),
        ("https://h/", "wss://h/ws?events=true"),
        ("http://h/other", "ws://h/other?events=true"),
        ("wss://h/ws?tenant=a%26b", "wss://h/ws?tenant=a%26b&events=true"),
    ],
)
def test_address_is_completed(given, address):
    assert Options().address(given) == address


def test_options_become_the_query():
    options = Options("en", True, "mulaw", 8000, 2, 700, "org/tiny", 4000)
    assert options.address("ws://h/ws") == (
        "ws://h/ws?language=en&interim_results=true&encoding=mulaw&sample_rate=8000"
        "&channels=2&endpointing=700&model=org%2Ftiny&max_segment=4000&events=true"
    )


def test_address_of_a_session_asks_for_what_is_behind_the_last_final():
    address = Options("en").address("ws://h/ws?tenant=a", Place("s.a/b", 3))
    assert address == "ws://h/ws?tenant=a&language=en&events=true&resume=s.a%2Fb&from=3"


def test_token_is_not_shown_by_what_holds_it():
    """It would be in every traceback and log that prints one of them."""
    assert "secret" not in repr(Place("s.secret", 3)) + repr(Opened("s", 4, token="s.secret"))


@pytest.mark.parametrize(
    ("format", "rate"),
    [
        (AudioFormat(), 32_000),
        (AudioFormat("mulaw", 8000), 8000),
        (AudioFormat("linear16", 48_000, 2), 192_000),
    ],
)
def test_format_says_how_many_bytes_a_second_has(format, rate):
    assert format.bytes_per_second == rate


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("localhost:8000", "ws://localhost:8000/ws?"),
        ("h", "ws://h/ws?"),
        ("10.0.0.1:80/speech/ws", "ws://10.0.0.1:80/speech/ws?"),
        ("https://h/", "wss://h/ws?"),
    ],
)
def test_address_is_taken_as_people_write_it(url, where):
    assert Options("en").address(url).startswith(where)


@pytest.mark.parametrize("url", ["", "ftp://h", ":8000", "ws://", "ws://h:99999", "ws:h"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(InvalidUrl):
        Options().address(url)
