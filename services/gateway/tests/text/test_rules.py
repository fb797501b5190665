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
        ("I have twenty-three cats.", "I have 23 cats."),
        ("twenty three", "23"),
        ("One hundred and five people", "105 people"),
        ("two thousand and nine", "2009"),
        ("three hundred twelve thousand four hundred", "312400"),
        ("one million two hundred thousand", "1200000"),
        ("in nineteen eighty four", "in 1984"),
        ("nineteen oh five", "1905"),
        ("twenty twenty four", "2024"),
        ("call five five five one two", "call 55512"),
        ("seven oh nine", "709"),
        ("three point five percent", "3.5 percent"),
        ("zero point oh two", "0.02"),
        ("the twenty first of May", "the 21st of May"),
        ("the twelfth man", "the 12th man"),
        ("wait a second", "wait a second"),
        ("the first one", "the first one"),
        ("no one knows", "no one knows"),
        ("forty two, fifty", "42, 50"),
        ("two and two", "2 and 2"),
        ("two hundred three hundred", "200 300"),
        ("thirty forty people", "30 40 people"),
        ("ten fifteen", "10 15"),
        ("at two o clock", "at 2 o clock"),
        ("seven oh my god", "7 oh my god"),
        ("Room nine", "Room 9"),
        ("a hundred", "a hundred"),
        ("oh no", "oh no"),
        ("the point is", "the point is"),
        ("twenty-love", "twenty-love"),
    ],
)
def test_numerals(heard: str, wanted: str) -> None:
    assert said(heard, numerals=True) == wanted


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
    ],
)
def test_plain(heard: str, wanted: str) -> None:
    assert said(heard, punctuated=False) == wanted


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


@pytest.mark.parametrize(
    ("heard", "kinds", "wanted"),
    [
        ("my number is five five five one two, yes", "numbers", "my number is [NUMBER_1], yes"),
        ("555 1234 but 77", "numbers", "[NUMBER_1] but [NUMBER_2]"),
        ("it is 123-45-6789.", "ssn", "it is [SSN_1]."),
        ("one two three four five six seven eight nine", "ssn", "[SSN_1]"),
        ("card 4111 1111 1111 1111 now", "pci", "card [CREDIT_CARD_1] now"),
        ("twenty three cats", "ssn", "twenty three cats"),
        ("One, two, three, four, five, six, seven, eight, nine.", "ssn", "[SSN_1]."),
        ("one twenty three forty five sixty seven eighty nine", "ssn", "[SSN_1]"),
        ("the twenty first, no", "numbers", "the [NUMBER_1], no"),
        ("oh five five", "numbers", "[NUMBER_1]"),
        ("my social is 123456789 and five", "ssn", "my social is [SSN_1]"),
        ("one two three four five six seven eight nine ten", "ssn", "[SSN_1]"),
        ("five double five one two", "numbers", "[NUMBER_1]"),
        ("no one was first", "numbers", "no one was first"),
    ],
)
def test_redaction(heard: str, kinds: str, wanted: str) -> None:
    rules = TextRules(redacted=frozenset([kinds]))
    spoken = rules.apply(heard, timed(heard))
    assert spoken.text == wanted
    assert " ".join(word.text for word in spoken.words) == wanted


def test_redaction_stands_in_plain_text_too() -> None:
    assert said("Dial 555, please", punctuated=False, redacted=frozenset(["numbers"])) == (
        "dial [NUMBER_1] please"
    )


def test_profanity_keeps_its_first_letter() -> None:
    assert said("What the fuck, Dick? Shitake and bullshit.", masks_profanity=True) == (
        "What the f***, Dick? Shitake and b*******."
    )


def test_no_rule_costs_nothing() -> None:
    text, words = "Hello there.", timed("Hello there.")
    spoken = TextRules().apply(text, words)
    assert spoken.text is text
    assert spoken.words is words


RULES = st.builds(
    TextRules,
    punctuated=st.booleans(),
    numerals=st.booleans(),
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


DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "oh", "4")


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(DIGITS[:10]), min_size=9, max_size=9),
    st.lists(st.sampled_from(["", ",", ".", "…", "?"]), min_size=9, max_size=9),
    st.booleans(),
)
def test_no_digit_of_a_security_number_stays(
    digits: list[str], marks: list[str], capital: bool
) -> None:
    """Guards what a client asked to hide, however it was dictated."""
    said_words = [word.title() if capital else word for word in digits]
    text = " ".join(f"{word}{mark}" for word, mark in zip(said_words, marks, strict=True))
    shown = said(f"it is {text} okay", redacted=frozenset(["ssn"]))
    assert not set(shown.lower().replace(",", " ").split()) & set(DIGITS)
    assert "[SSN_1]" in shown
