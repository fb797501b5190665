"""Number words become digits where they say a number, and stay words where they do not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripta_common.wire import Word
from scripta_gateway.text import TextRules
from scripta_gateway.text.vocabulary import TEENS, TENS, UNITS

pytestmark = pytest.mark.unit

RULES = TextRules(numerals=True)


def said(text: str) -> str:
    return RULES.apply(text).text


@pytest.mark.parametrize(
    ("heard", "wanted"),
    [
        ("I have twenty-three cats.", "I have 23 cats."),
        ("twenty three", "23"),
        ("One hundred and five people", "105 people"),
        ("two thousand and nine", "2009"),
        ("three hundred twelve thousand four hundred", "312400"),
        ("one million two hundred thousand", "1200000"),
        ("a hundred", "100"),
        ("a hundred and five", "105"),
        ("a thousand and one nights", "1001 nights"),
        ("a hundred and fifty thousand", "150000"),
        ("half a million", "half a million"),
        ("one thousand two hundred thirty four", "1234"),
        ("two hundred three hundred", "200 300"),
        ("eleven twelve", "11 12"),
        ("thirteen fourteen fifteen", "13 14 15"),
        ("eighteen nineteen twenty", "18 19 20"),
        ("thirty forty people", "30 40 people"),
        ("two and two", "2 and 2"),
        ("forty two, fifty", "42, 50"),
        ("One, two, three.", "1, 2, 3."),
        ("Room nine", "Room 9"),
        ("zero", "0"),
    ],
)
def test_cardinals(heard: str, wanted: str) -> None:
    assert said(heard) == wanted


@pytest.mark.parametrize(
    ("heard", "wanted"),
    [
        ("three point five percent", "3.5 percent"),
        ("point five percent", "0.5 percent"),
        ("zero point oh two", "0.02"),
        ("two and a half", "2.5"),
        ("two and a half million", "2.5 million"),
        ("three and three quarters", "3.75"),
        ("five and a quarter inches", "5.25 inches"),
        ("two point five million", "2.5 million"),
        ("twenty dollars and fifty cents", "20 dollars and 50 cents"),
        ("the point is", "the point is"),
        ("bullet point five", "bullet point 5"),
    ],
)
def test_decimals_and_money(heard: str, wanted: str) -> None:
    assert said(heard) == wanted


@pytest.mark.parametrize(
    ("heard", "wanted"),
    [
        ("in nineteen eighty four", "in 1984"),
        ("nineteen oh five", "1905"),
        ("nineteen hundred and five", "1905"),
        ("twenty twenty six", "2026"),
        ("two thousand twenty six", "2026"),
        ("ten sixty six", "1066"),
        ("in nineteen twenty", "in 1920"),
        ("nineteen twenty", "19 20"),
        ("the nineteen eighties", "the 1980s"),
        ("the eighties", "the 80s"),
        ("ten fifteen", "10 15"),
        ("at ten fifteen", "at 10:15"),
        ("ten thirty am", "10:30 am"),
        ("three forty five p.m.", "3:45 p.m."),
        ("seven oh five pm", "7:05 pm"),
        ("five pm", "5 pm"),
        ("at two o clock", "at 2 o clock"),
    ],
)
def test_years_and_times(heard: str, wanted: str) -> None:
    assert said(heard) == wanted


@pytest.mark.parametrize(
    ("heard", "wanted"),
    [
        ("call five five five one two", "call 55512"),
        ("seven oh nine", "709"),
        ("double seven", "77"),
        ("triple two", "222"),
        ("five double oh seven", "5007"),
        ("one oh one", "101"),
        ("eight hundred five five five one two", "800 55512"),
        ("two oh six five five five", "206555"),
        ("seven oh my god", "7 oh my god"),
        ("oh no", "oh no"),
        ("double trouble", "double trouble"),
    ],
)
def test_dictated_digits(heard: str, wanted: str) -> None:
    assert said(heard) == wanted


@pytest.mark.parametrize(
    ("heard", "wanted"),
    [
        ("the twenty first of May", "the 21st of May"),
        ("one hundred and first", "101st"),
        ("nine hundredth", "900th"),
        ("two thousandth", "2000th"),
        ("the twelfth man", "the 12th man"),
        ("the fourth floor", "the 4th floor"),
        ("May third", "May 3rd"),
        ("the first of June", "the 1st of June"),
        ("wait a second", "wait a second"),
        ("one fifth", "one fifth"),
        ("two thirds, three quarters", "two thirds, three quarters"),
        ("five seconds", "5 seconds"),
        ("the thirty second floor", "the 32nd floor"),
        ("a thirty second break", "a 30 second break"),
    ],
)
def test_ordinals(heard: str, wanted: str) -> None:
    assert said(heard) == wanted


@pytest.mark.parametrize(
    ("heard", "wanted"),
    [
        ("one of them", "one of them"),
        ("no one knows", "no one knows"),
        ("the first one", "the first one"),
        ("press one", "press 1"),
        ("one percent", "1 percent"),
        ("one or two", "1 or 2"),
        ("two to one", "2 to 1"),
        ("one in ten", "1 in 10"),
        ("one by one", "one by one"),
        ("one at a time", "one at a time"),
        ("twenty-love", "twenty-love"),
    ],
)
def test_a_lone_one_is_mostly_a_pronoun(heard: str, wanted: str) -> None:
    assert said(heard) == wanted


@pytest.mark.parametrize(
    ("heard", "wanted"),
    [
        ("It costs twenty dollars.", "It costs $20."),
        ("twenty dollars and five cents", "$20.05"),
        ("a thousand two hundred euros fifty cents, please", "€1200.50, please"),
        ("two and a half million dollars", "$2.5 million"),
        ("five percent of them", "5% of them"),
        ("I have 20 dollars", "I have $20"),
        ("twenty dollars and fifty people", "$20 and 50 people"),
        ("twenty, dollars", "20, dollars"),
        ("many dollars and percent", "many dollars and percent"),
        ("five cents", "5 cents"),
    ],
)
def test_amounts(heard: str, wanted: str) -> None:
    rules = TextRules(numerals=True, amounts=True)
    words = tuple(Word(word, at, at + 0.5) for at, word in enumerate(heard.split()))
    spoken = rules.apply(heard, words)
    assert spoken.text == wanted
    assert " ".join(word.text for word in spoken.words) == wanted
    assert (spoken.words[0].start, spoken.words[-1].end) == (words[0].start, words[-1].end)


def spelled(number: int) -> str:
    """Returns a cardinal below a billion in words, as people say it in Britain."""
    small, tens = list((UNITS | TEENS).items()), list(TENS)
    for size, name in ((10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            joined = " and " if 0 < rest < 100 else " "
            words = f"{spelled(number // size)} {name}"
            return f"{words}{joined}{spelled(rest)}" if rest else words
    if number < 20:
        return next(word for word, value in small if value == number)
    rest, ten = number % 10, tens[number // 10 - 2]
    return f"{ten}-{spelled(rest)}" if rest else ten


@settings(max_examples=300, deadline=None)
@given(st.integers(2, 10**9 - 1))
def test_every_cardinal_is_read(number: int) -> None:
    assert said(f"there are {spelled(number)} of them") == f"there are {number} of them"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=2, max_size=16))
def test_dictated_digits_are_written_together(digits: list[int]) -> None:
    words = " ".join(spelled(digit) for digit in digits)
    assert said(f"dial {words} now") == f"dial {''.join(map(str, digits))} now"


def test_a_number_has_the_time_of_its_words() -> None:
    text = "call five double two now"
    words = tuple(Word(word, at, at + 0.5) for at, word in enumerate(text.split()))
    spoken = RULES.apply(text, words)
    assert [(word.text, word.start, word.end) for word in spoken.words] == [
        *(("call", 0, 0.5), ("522", 1, 3.5), ("now", 4, 4.5)),
    ]
