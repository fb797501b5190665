"""Deepgram's live protocol: what clients are told of their speech."""

from __future__ import annotations

import pytest
from deepgram_codec import ID, codec, final, write

from scripta_common.wire import Interim, Reason, Speech, SpeechKind
from scripta_gateway.dialects import asks, told

pytestmark = pytest.mark.unit


def test_results_have_what_the_packages_require() -> None:
    (result,) = write(codec("punctuate=true&extra=k:v&extra=l:w"), final(1.5))
    model = result["metadata"].pop("model_uuid")
    assert result == {
        "type": "Results",
        "channel_index": [0, 1],
        "start": 0.0,
        "duration": 1.5,
        "is_final": True,
        "speech_final": True,
        "from_finalize": False,
        "channel": {
            "alternatives": [
                {
                    "transcript": "Hello, World.",
                    "confidence": 0.625,
                    "words": [
                        {"word": "hello", "start": 0.5, "end": 0.8, "confidence": 0.75,
                         "punctuated_word": "Hello,"},
                        {"word": "world", "start": 0.9, "end": 1.2, "confidence": 0.5,
                         "punctuated_word": "World."},
                    ],
                }
            ]
        },
        "metadata": {
            "request_id": ID,
            "model_info": {"name": "moonshine", "version": "latest", "arch": "scripta"},
            "extra": {"k": "v", "l": "w"},
        },
    }  # fmt: skip
    assert len(model) == len(ID)


def test_without_punctuation_text_is_lower_case() -> None:
    (result,) = write(codec(), final(1.5))
    said = result["channel"]["alternatives"][0]
    assert said["transcript"] == "hello world"
    assert "punctuated_word" not in said["words"][0]
    assert "extra" not in result["metadata"]


@pytest.mark.parametrize(
    ("query", "reason", "marks"),
    [
        ("", Reason.ENDPOINT, (True, False)),
        ("endpointing=0", Reason.ENDPOINT, (False, False)),
        ("endpointing=false", Reason.ENDPOINT, (False, False)),
        ("", Reason.LENGTH, (False, False)),
        ("", Reason.IDLE, (True, False)),
        ("", Reason.FINALIZE, (True, True)),
        ("", Reason.END, (True, False)),
    ],
)
def test_a_final_says_why_it_ended(query: str, reason: Reason, marks: tuple[bool, bool]) -> None:
    (result,) = write(codec(query), final(1.5, reason))
    assert (result["speech_final"], result["from_finalize"]) == marks


def test_an_empty_final_answers_finalize() -> None:
    """Guards pipecat, which waits for it each time that somebody stops speaking."""
    nothing = {"text": "", "words": (), "confidence": None}
    (result,) = write(codec(), final(1.5, Reason.FINALIZE, **nothing))
    assert result["from_finalize"]
    said = result["channel"]["alternatives"][0]
    assert said == {"transcript": "", "confidence": 0.0, "words": []}


def test_results_lie_side_by_side() -> None:
    one = codec("interim_results=true")
    news = (
        told.Guess(0, Interim(0.4, 1.0, "Hello")),
        final(1.5),
        told.Guess(0, Interim(1.8, 2.4, "again now")),
        final(2.7123),
        final(3.0, Reason.LENGTH),
    )
    spans = [(each["start"], each["duration"], each["is_final"]) for each in write(one, *news)]
    assert spans == [
        *((0.0, 1.0, False), (0.0, 1.5, True), (1.5, 0.9, False)),
        *((1.5, 1.212, True), (2.712, 0.288, True)),
    ]


def test_interims_only_for_who_asks_and_with_estimated_words() -> None:
    guess = told.Guess(0, Interim(1.0, 2.0, "Hello again"))
    assert write(codec(), guess) == []
    (result,) = write(codec("interim_results=true"), guess)
    words = result["channel"]["alternatives"][0]["words"]
    assert [(word["word"], word["start"], word["end"]) for word in words] == [
        *(("hello", 1.0, 1.5), ("again", 1.5, 2.0)),
    ]


@pytest.mark.parametrize(
    ("query", "transcript"),
    [
        ("punctuate=true", "Call 12, then five five oh one two three four five six."),
        ("smart_format=true&filler_words=true", "Uh, call 12, then 550123456."),
        ("numerals=true", "call 12 then 550123456"),
        ("redact=ssn&redact=pii&numerals=true", "call 12 then [SSN_1]"),
        ("redact=numbers", "call [NUMBER_1] then [NUMBER_2]"),
        ("redact=true", "call [NUMBER_1] then [NUMBER_2]"),
        ("redact=Numbers", "call [NUMBER_1] then [NUMBER_2]"),
        ("redact=PCI,SSN&numerals=true", "call 12 then [SSN_1]"),
        ("replace=call:Phone&replace=then:", "Phone 12 five five oh one two three four five six"),
    ],
)
def test_text_is_as_the_query_wants_it(query: str, transcript: str) -> None:
    text = "Uh, call 12, then five five oh one two three four five six."
    (result,) = write(codec(query), final(1.5, text=text, words=()))
    said = result["channel"]["alternatives"][0]
    assert said["transcript"] == transcript
    key = "punctuated_word" if "punct" in query or "smart" in query else "word"
    assert " ".join(word[key] for word in said["words"]) == transcript


def test_languages_only_for_who_asks() -> None:
    """Guards pipecat, which takes a language for one that it knows."""
    english = final(1.5, language="en")
    (result,) = write(codec("language=en"), english)
    assert "languages" not in result["channel"]["alternatives"][0]
    (result,) = write(codec("language=multi"), english)
    said = result["channel"]["alternatives"][0]
    assert (said["languages"], said["words"][0]["language"]) == (["en"], "en")


def test_events_of_speech_for_who_asks() -> None:
    def heard(kind: SpeechKind, at: float) -> told.Heard:
        return told.Heard(0, Speech(kind, at))

    started, stopped = heard(SpeechKind.STARTED, 0.25), heard(SpeechKind.STOPPED, 1.5)
    silent = heard(SpeechKind.SILENT, 1.5)
    assert write(codec(), started, stopped, silent) == []
    both = codec("vad_events=true&utterance_end_ms=1000")
    began, _, over = write(both, started, final(1.5), stopped, silent)[:3]
    assert began == {"type": "SpeechStarted", "channel": [0, 1], "timestamp": 0.25}
    assert over == {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 1.2}


def test_each_channel_has_its_own_clock_and_number() -> None:
    one = codec()
    first = write(one, told.Voices(2), final(1.5, channel=1), final(2.5, channel=0))
    assert [(each["channel_index"], each["start"]) for each in first] == [
        *(([1, 2], 0.0), ([0, 2], 0.0)),
    ]
    *rest, metadata = write(one, told.Ended(3.0))
    assert [(each["channel_index"], each["start"], each["duration"]) for each in rest] == [
        *(([0, 2], 2.5, 0.5), ([1, 2], 1.5, 1.5)),
    ]
    assert metadata["channels"] == 2
    assert [type(ask) for ask in one.read('{"type":"Finalize","channel":1}')] == [asks.Finalize]
