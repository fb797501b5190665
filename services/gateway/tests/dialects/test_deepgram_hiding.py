"""What Deepgram's clients ask to hide leaves by no way: transcripts, words, interims, channels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from scripta_common.wire import Final, Interim, Reason, Word
from scripta_gateway.dialects import told
from scripta_gateway.dialects.deepgram import LiveDialect, PrerecordedDialect
from scripta_gateway.dialects.deepgram.models import MODELS
from scripta_gateway.dialects.model_names import ModelNames
from scripta_gateway.transports.base import Request

pytestmark = pytest.mark.unit

NAMES = ModelNames(MODELS, {})
SPOKEN = ("My social is four seven", "two, um,", "nine eight six five", "three one. Thanks a lot.")
SHOWN = re.compile(r"\b(one|two|three|four|five|six|seven|eight|nine)\b|\d", re.I)
LABEL = re.compile(r"\[[A-Za-z_]+_\d+\]")
QUERIES = ["", "punctuate=true", "numerals=true", "smart_format=true&filler_words=true"]


def request(query: str) -> Request:
    pairs = [tuple(pair.split("=", 1)) for pair in query.split("&") if pair]
    return Request("ab" * 16, 1_770_000_000.5, "/v1/listen", pairs, {}, ())  # type: ignore[arg-type]


def final(text: str, start: float, *, timed: bool = True) -> Final:
    words = tuple(
        Word(word, start + at / 10, start + at / 10) for at, word in enumerate(text.split())
    )
    return Final(1, start, start + 2, text, Reason.ENDPOINT, words if timed else ())


def texts(answer: Any) -> Iterator[str]:
    """Yields every text that stands anywhere in an answer."""
    for name, value in answer.items() if isinstance(answer, dict) else enumerate(answer):
        if isinstance(value, dict | list):
            yield from texts(value)
        elif name in ("transcript", "word", "punctuated_word", "text"):
            yield value


def judge(answers: Sequence[dict[str, Any]]) -> None:
    shown = [text for answer in answers for text in texts(answer)]
    assert [text for text in shown if SHOWN.search(LABEL.sub("", text))] == []
    assert any(LABEL.search(text) for text in shown)
    for answer in answers:
        said = answer["channel"]["alternatives"][0] if "channel" in answer else answer
        if "words" in said:
            words = [word.get("punctuated_word", word["word"]) for word in said["words"]]
            assert " ".join(words) == said["transcript"]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("kinds", ["redact=ssn", "redact=numbers", "redact=SSN,pci"])
@pytest.mark.parametrize("timed", [True, False])
def test_live(query: str, kinds: str, timed: bool) -> None:
    """Guards a number that is read while it is dictated, in parts, by its interims."""
    codec = LiveDialect(NAMES).begin(request(f"interim_results=true&{kinds}&{query}"))
    answers: list[dict[str, Any]] = []
    for number, text in enumerate(SPOKEN):
        for cut in range(1, len(text) + 1):
            guess = told.Guess(0, Interim(2.0 * number, 2.0 * number + 1, text[:cut]))
            answers += map(json.loads, codec.write(guess))
        decided = told.Decided(0, final(text, 2.0 * number, timed=timed))
        answers += map(json.loads, codec.write(decided))
    answers += map(json.loads, codec.write(told.Ended(9.0)))
    judge([answer for answer in answers if answer["type"] == "Results"])
    whole = [answer for answer in answers if answer.get("is_final")]
    said = [answer["channel"]["alternatives"][0]["transcript"].lower() for answer in whole]
    assert said[0].startswith("my social is")
    assert "thanks a lot" in said[3]


def test_channels_do_not_mix() -> None:
    """Guards a number of one voice against words that another says meanwhile."""
    codec = LiveDialect(NAMES).begin(request("redact=ssn"))
    codec.write(told.Voices(2))
    answers: list[dict[str, Any]] = []
    for number, text in enumerate(SPOKEN):
        for channel, said in ((0, text), (1, "I have two cats, you know")):
            decided = told.Decided(channel, final(said, 2.0 * number))
            answers += map(json.loads, codec.write(decided))
    judge([answer for answer in answers if answer["channel_index"] == [0, 2]])
    others = [answer for answer in answers if answer["channel_index"] == [1, 2]]
    for other in others:
        assert other["channel"]["alternatives"][0]["transcript"] == "i have two cats you know"


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("kinds", ["redact=ssn", "redact=numbers", "redact=pci&redact=ssn"])
def test_recordings(query: str, kinds: str) -> None:
    """Guards utterances and paragraphs, which are made of the words."""
    asked = f"utterances=true&utt_split=0.2&paragraphs=true&{kinds}&{query}"
    codec = PrerecordedDialect(NAMES).begin(request(asked))
    codec.write(told.Voices(2))
    for number, text in enumerate(SPOKEN):
        codec.write(told.Decided(0, final("I have a cat.", 2.0 * number)))
        codec.write(told.Decided(1, final(text, 2.0 * number)))
    (answer,) = map(json.loads, codec.write(told.Ended(9.0)))
    judge([answer])
    assert len(answer["results"]["utterances"]) > 1


def test_a_recording_shows_numbers_that_go_on_nowhere() -> None:
    codec = PrerecordedDialect(NAMES).begin(request("redact=ssn"))
    for number, text in enumerate(("I have two", "cats and five", "", "um", "dogs, not six")):
        codec.write(told.Decided(0, final(text, 2.0 * number)))
    (answer,) = map(json.loads, codec.write(told.Ended(9.0)))
    said = answer["results"]["channels"][0]["alternatives"][0]["transcript"]
    assert said == "i have two cats and five dogs not six"
