"""Text as clients want it; words and text agree, and every word keeps its time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripta_common.wire import Word
from scripta_gateway.text import TextRules

pytestmark = pytest.mark.unit


def said(text: str, **rules: object) -> str:
    return TextRules(**rules).apply(text).text  # type: ignore[arg-type]


def timed(text: str) -> tuple[Word, ...]:
    return tuple(
        Word(word, float(at), at + 0.5, 0.9 - at / 100) for at, word in enumerate(text.split())
    )


@pytest.mark.parametrize(
    ("heard", "wanted"),
    [
        ("Hello, World!", "hello world"),
        ("It's a well-known fact – no?", "it's a well-known fact no"),
        ("3.5 to 4,000", "3.5 to 4,000"),
        ("Привет, мир.", "привет мир"),
        ("…", ""),
        ("at $5 and 50% off", "at $5 and 50% off"),
        ("The U.S. at 9 a.m.", "the u.s. at 9 a.m."),
        ("你好。世界", "你好世界"),
        ("It is -5, no: −5.", "it is -5 no −5"),
        ("C++, C# & F#!", "c++ c# & f#"),
        ("bob @ example.com, @bob", "bob @ example.com @bob"),
        ("+44 and ±3 or .5.", "+44 and ±3 or .5"),
        ("a = b + c", "a = b + c"),
        ("well—no… wait...what", "well no wait what"),
        ("1990–1995", "1990–1995"),
        ("“Yes,” she said – (twice).", "yes she said twice"),
        ("♪ la la ♪", "la la"),
        (".NET and ...then", ".net and then"),
        ("the '90s", "the '90s"),
        ("5% of §3", "5% of §3"),
    ],
)
def test_plain(heard: str, wanted: str) -> None:
    assert said(heard, punctuated=False) == wanted


def test_words_of_plain_text_share_the_time_of_what_they_were() -> None:
    spoken = TextRules(punctuated=False).apply("well—no.", timed("well—no."))
    assert [(word.text, word.start, word.end) for word in spoken.words] == [
        *(("well", 0.0, 0.25), ("no", 0.25, 0.5)),
    ]


@pytest.mark.parametrize(
    ("heard", "wanted"),
    [
        ("Um, I think so.", "I think so."),
        ("um, so it is", "so it is"),
        ("I think so, uh.", "I think so."),
        ("Uh-huh.", ""),
        ("Umbrella", "Umbrella"),
    ],
)
def test_fillers(heard: str, wanted: str) -> None:
    assert said(heard, fillers=False) == wanted


def test_phrases_are_replaced_whatever_their_case_and_keep_punctuation() -> None:
    rules = TextRules(replaced=(("new york", "NYC"), ("really", "")))
    spoken = rules.apply("In New York, really!", timed("In New York, really!"))
    assert spoken.text == "In NYC,"
    assert spoken.words[1] == Word("NYC,", 1.0, 2.5, pytest.approx(0.88))


def test_words_of_a_replaced_phrase_share_its_time() -> None:
    """Guards captions, which show a word from its start to its end."""
    rules = TextRules(replaced=(("nyc", "New York City"), ("the big apple", "New York")))
    spoken = rules.apply("(NYC!) the Big Apple.", timed("(NYC!) the Big Apple."))
    assert spoken.text == "(New York City!) New York."
    assert [word.text for word in spoken.words] == ["(New", "York", "City!)", "New", "York."]
    times = [(round(word.start, 3), round(word.end, 3)) for word in spoken.words]
    assert times[:3] == [(0.0, 0.167), (0.167, 0.333), (0.333, 0.5)]
    assert times[3:] == [(1.0, 2.25), (2.25, 3.5)]


def test_what_stands_in_place_of_a_phrase_is_not_replaced_again() -> None:
    """Guards against a client whose phrases double each other two hundred times."""
    rules = TextRules(replaced=(("a", "b b"), ("b", "a a")) * 100)
    assert rules.apply("a b c").text == "b b a a c"


def test_no_rule_costs_nothing() -> None:
    text, words = "Hello there.", timed("Hello there.")
    spoken = TextRules().apply(text, words)
    assert spoken.text is text
    assert spoken.words is words


RULES = st.builds(
    TextRules,
    punctuated=st.booleans(),
    numerals=st.booleans(),
    amounts=st.booleans(),
    masks_profanity=st.booleans(),
    fillers=st.booleans(),
    replaced=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=2).map(tuple),
    redacted=st.frozensets(st.sampled_from(["numbers", "ssn", "pci"])),
)
TEXTS = st.lists(
    st.one_of(
        st.text(min_size=1, max_size=6),
        st.sampled_from(
            (
                *("one", "two", "twenty", "thirty-five", "hundred", "thousand", "and", "point"),
                *("dollars", "cents", "percent", "million", "double", "half", "a", "one-third"),
                *("oh", "first", "nineteen", "um", "555", "shit", "hundred,", "oh.", "-"),
            )
        ),
    ),
    max_size=12,
).map(" ".join)


@settings(max_examples=500, deadline=None)
@given(RULES, TEXTS)
def test_words_and_text_agree_and_times_stay_in_order(rules: TextRules, text: str) -> None:
    words = timed(text)
    spoken = rules.apply(text, words)
    assert " ".join(word.text for word in spoken.words).split() == spoken.text.split()
    for before, after in pairwise(spoken.words):
        assert before.start <= before.end <= after.start
    assert rules.apply(text).text == spoken.text
