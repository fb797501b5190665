"""Text options of the native dialect, whatever the engine and the language."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from scripta_common.errors import BadRequest
from scripta_common.wire import Final, Interim, Reason, Word
from scripta_gateway.dialects import told
from scripta_gateway.dialects.native import NativeCodec, NativeDialect
from scripta_gateway.transports.base import Request

pytestmark = pytest.mark.unit


def codec(query: str) -> NativeCodec:
    asked = tuple(parse_qsl(query, keep_blank_values=True))
    return NativeDialect().begin(Request(id="id", at=0.0, query=asked))


def shown(one: NativeCodec, text: str, language: str | None = "en", **more: Any) -> dict[str, Any]:
    words = tuple(Word(word, at, at + 1.0) for at, word in enumerate(text.split()))
    final = Final(1, 0.0, 9.0, text, Reason.ENDPOINT, words, language=language, **more)
    (frame,) = one.write(told.Decided(0, final))
    decoded: dict[str, Any] = json.loads(str(frame))
    return decoded


@pytest.mark.parametrize(
    ("query", "text", "wanted"),
    [
        ("", "Twenty five, um, damn dogs.", "Twenty five, um, damn dogs."),
        ("numerals=true", "Twenty five dogs.", "25 dogs."),
        ("numerals=true", "TWENTY FIVE DOGS", "25 DOGS"),
        ("numerals=true", "twenty five dogs", "25 dogs"),
        ("punctuate=false", "Twenty five, dogs!", "twenty five dogs"),
        ("punctuate=false", "TWENTY FIVE DOGS", "twenty five dogs"),
        ("punctuate=false", "Где? В Москве.", "где в москве"),
        ("profanity_filter=true", "Oh shit.", "Oh s***."),
        ("redact=numbers", "I have 25 dogs.", "I have [NUMBER_1] dogs."),
    ],
)
def test_text_is_as_it_is_asked_for_from_every_engine(query: str, text: str, wanted: str) -> None:
    """Engines write sentences, capitals only, or lower case only: the rules are the same."""
    frame = shown(codec(query), text)
    assert frame["text"] == wanted
    assert " ".join(word["word"] for word in frame["words"]) == wanted


@pytest.mark.parametrize(
    ("language", "text"),
    [("fr", "Il y a six hommes."), ("es", "Ten cuidado."), ("pt", "Um dia."), ("de", "Er kam um.")],
)
def test_english_rules_leave_other_languages_alone(language: str, text: str) -> None:
    """Guards French "six" that becomes 6, and German "um" that is taken for a filler."""
    rules = "numerals=true&profanity_filter=true"
    asked = codec(f"{rules}&language={language}")
    assert shown(asked, text, language)["text"] == text
    assert shown(asked, text, None)["text"] == text
    heard = codec(f"{rules}&language=auto")
    assert shown(heard, text, language)["text"] == text
    assert shown(heard, "Six men.", "en")["text"] == "6 men."


def test_english_rules_are_named_as_ignored_in_a_session_in_another_language() -> None:
    query = "numerals=true&profanity_filter=true&redact=pci"
    for language, named in (("de", "numerals, profanity_filter, redact"), ("en-GB", None)):
        headers = codec(f"{query}&language={language}").greet(told.Opened("sid", 1)).headers
        assert headers.get("scripta-ignored") == named


def test_words_that_nobody_wants_are_not_made_up() -> None:
    final = Final(1, 0.0, 2.0, "Twenty five.", Reason.ENDPOINT)
    (frame,) = codec("numerals=true").write(told.Decided(0, final))
    assert json.loads(str(frame))["words"] == []


@pytest.mark.parametrize(
    ("query", "text", "stable", "wanted"),
    [
        ("numerals=true", "I have twenty", "I have twenty", ("I have 20", "I have")),
        ("numerals=true", "I have twenty five dogs", "I have twenty five dogs",
         ("I have 25 dogs", "I have 25 dogs")),
        ("redact=numbers", "I have 5 dogs and", "I have 5 dogs", ("I have [NUMBER_1] dogs and",
         "I have")),
        ("punctuate=false", "Well, no", "Well,", ("well no", "well")),
    ],
)  # fmt: skip
def test_what_is_called_stable_stays_whatever_follows(
    query: str, text: str, stable: str, wanted: tuple[str, str]
) -> None:
    """Guards "20" that is called stable and becomes 25."""
    one = codec(f"{query}&interim_results=true")
    (frame,) = one.write(told.Guess(0, Interim(0.0, 2.0, text, stable)))
    decoded = json.loads(str(frame))
    assert (decoded["text"], decoded["stable"]) == wanted


def test_number_that_goes_on_behind_a_broken_connection_stays_hidden() -> None:
    """Guards the rest of a card's number, shown to a client that has come back."""
    token = codec("events=true").resumable
    assert token
    text = "one one one"
    resumed = NativeDialect().begin(
        Request(id="id", at=0.0, query=(("redact", "pci"), ("events", "true"), *_resume()))
    )
    assert "one" not in shown(resumed, text)["text"]
    assert shown(codec("redact=pci"), f"{text} dogs are here")["text"] == f"{text} dogs are here"


def _resume() -> tuple[tuple[str, str], ...]:
    from scripta_gateway.access.resume_tokens import ResumeToken

    return (("resume", ResumeToken.make().reveal()),)


@pytest.mark.parametrize("value", ["cards", "numbers;ssn", ""])
def test_kind_that_is_not_known_is_refused(value: str) -> None:
    """Guards numbers that stay visible by a slip."""
    with pytest.raises(BadRequest, match="Bad value for redact: it has to be numbers, pci or ssn"):
        codec(f"redact={value}")
