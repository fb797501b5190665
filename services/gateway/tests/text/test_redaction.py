"""What a client asks to hide is hidden, however it is said, cut or written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripta_common.wire import Word
from scripta_gateway.text import Reach, Tail, TextRules

pytestmark = pytest.mark.unit

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "oh")
LABEL = re.compile(r"\[(NUMBER|SSN|CREDIT_CARD)_\d+\]")


def timed(text: str) -> tuple[Word, ...]:
    return tuple(Word(word, float(at), at + 0.5) for at, word in enumerate(text.split()))


def hidden(text: str, kinds: str, reach: Reach = Reach.WHOLE, **rules: object) -> str:
    """Returns what is shown of a text, once its words have been found to show the same."""
    redacted = frozenset(kinds.split(","))
    one = TextRules(redacted=redacted, **rules)  # type: ignore[arg-type]
    spoken = one.apply(text, timed(text), reach=reach)
    assert " ".join(word.text for word in spoken.words) == spoken.text
    return spoken.text


def leaks(shown: str) -> list[str]:
    """Returns the number words and digits that can be seen."""
    plain = unicodedata.normalize("NFKC", LABEL.sub(" ", shown)).casefold()
    parts = re.findall(r"[^\W_]+", plain)
    return [part for part in parts if part in WORDS or any(map(str.isnumeric, part))]


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
        ("my social is 123456789 and five", "ssn", "my social is [SSN_1]"),
        ("five double five one two", "numbers", "[NUMBER_1]"),
        ("no one was first", "numbers", "no one was first"),
        ("one of them", "numbers", "one of them"),
        ("Oh, I see", "numbers", "Oh, I see"),
        ("wait a second", "numbers", "wait a second"),
        ("I have to go for it", "numbers,ssn,pci", "I have to go for it"),
        ("two hundred thirty four thousand", "ssn", "two hundred thirty four thousand"),
        ("a hundred and five people", "numbers", "a [NUMBER_1] people"),
        ("1st place at 3:45pm", "numbers", "[NUMBER_1] place at [NUMBER_2]"),
        ("two nil", "numbers", "[NUMBER_1]"),
        ("nil", "numbers", "[NUMBER_1]"),
        ("five oh", "numbers", "[NUMBER_1]"),
        ("double seven, triple two", "numbers", "[NUMBER_1]"),
        ("double oh", "numbers", "[NUMBER_1]"),
        ("three sevens", "numbers", "[NUMBER_1]"),
        ("one and a half", "numbers", "[NUMBER_1]"),
        ("one-and-a-half, one-third", "numbers", "[NUMBER_1]"),
        ("three tenths", "numbers", "[NUMBER_1]"),
        ("one o'clock", "numbers", "[NUMBER_1] o'clock"),
        ("one-and-only", "numbers", "one-and-only"),
        ("someone often waits for height", "numbers", "someone often waits for height"),
        ("the nineteen eighties", "numbers", "the [NUMBER_1]"),
        ("press one", "numbers", "press [NUMBER_1]"),
        ("May third", "numbers", "May [NUMBER_1]"),
        ("fourtwo seventyone", "numbers", "[NUMBER_1]"),
        ("COVID-19", "numbers", "[NUMBER_1]"),
        ("电话号码四二七一，谢谢", "numbers", "电话号码[NUMBER_1]，谢谢"),
        ("一起去", "numbers", "一起去"),
        ("the cvv is 123 okay", "pci", "the cvv is [CREDIT_CARD_1] okay"),
        ("last four of my social are 6789 okay", "ssn", "last four of my social are [SSN_1] okay"),
        ("one two for five six seven ate nine two to", "ssn", "[SSN_1]"),
        ("card is for one one one 1111, 1111 1111 for", "pci", "card is [CREDIT_CARD_1]"),
        ("123, then 45, okay 6789, thanks", "ssn", "[SSN_1], then [SSN_2], okay [SSN_3], thanks"),
    ],
)  # fmt: skip
def test_redaction(heard: str, kinds: str, wanted: str) -> None:
    assert hidden(heard, kinds) == wanted


SEPARATORS = st.sampled_from(
    (
        *(" ", ", ", "... ", "-", "–", "—", "‑", "/", "…", ".", ":", "\u00a0", "\u2009", "\u202f"),
        *("\u200b", "_", "+", " - ", " / ", " um ", " Uh, ", " er… ", " dash ", " and "),
    )
)
SCRIPTS = st.sampled_from(("0", "０", "٠", "०", "𝟎", "๐"))


@st.composite
def dictated(draw: st.DrawFn, count: int) -> list[str]:
    """Draws so many digits, in words or written in any script, with what separates them."""
    parts: list[str] = []
    for at in range(count):
        digit = draw(st.integers(0, 9))
        script = draw(SCRIPTS)
        word = draw(st.sampled_from((WORDS[digit], WORDS[digit].title(), chr(ord(script) + digit))))
        parts.append(word + (draw(SEPARATORS) if at < count - 1 else ""))
    return parts


@settings(max_examples=400, deadline=None)
@given(st.sampled_from((("ssn", 9), ("pci", 16), ("pci", 13), ("numbers", 4))), st.data())
def test_nothing_of_a_number_is_shown_however_it_is_written(
    asked: tuple[str, int], data: st.DataObject
) -> None:
    """Guards dashes, slashes, ellipses and spaces of every kind, fillers, and other scripts."""
    kinds, count = asked
    shown = hidden(f"it is {''.join(data.draw(dictated(count)))}, thanks", kinds)
    assert leaks(shown) == []
    assert LABEL.search(shown)
    assert shown.startswith("it is ")
    assert shown.endswith("thanks")


def finals(texts: Sequence[str], rules: TextRules) -> list[str]:
    """Returns what is shown of finals that follow each other."""
    tail, shown = Tail(), []
    for text in texts:
        spoken = rules.apply(text, timed(text), before=tail, reach=Reach.OPEN)
        assert " ".join(word.text for word in spoken.words).split() == spoken.text.split()
        tail = spoken.tail
        shown.append(spoken.text)
    return shown


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from((("ssn", 9), ("pci", 16), ("ssn,pci", 9), ("numbers", 5))),
    st.sets(st.integers(1, 15)),
    st.booleans(),
    st.data(),
)
def test_nothing_of_a_number_is_shown_when_it_is_split_over_finals(
    asked: tuple[str, int], cuts: set[int], numerals: bool, data: st.DataObject
) -> None:
    """Guards pauses within a number: each may end a segment, and fillers may begin the next."""
    kinds, count = asked
    words = [f"{WORDS[data.draw(st.integers(2, 9))]}" for _ in range(count)]
    texts = ["it is"]
    for at, word in enumerate(words):
        if at in cuts:
            texts.append(data.draw(st.sampled_from(("", "um,", "and", "Uh. And then"))))
        texts[-1] = f"{texts[-1]} {word}".strip()
    texts.append(data.draw(st.sampled_from(("", "okay", "um", "thanks a lot"))))
    rules = TextRules(redacted=frozenset(kinds.split(",")), numerals=numerals)
    assert [leak for text in finals(texts, rules) for leak in leaks(text)] == []


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["the pin is oh", "four nine okay"], ["the pin is [NUMBER_1]", "[NUMBER_1] okay"]),
        (["oh-one", "one okay"], ["[NUMBER_1]", "[NUMBER_1] okay"]),
        (["forty", "first, and"], ["[NUMBER_1]", "[NUMBER_1], and"]),
        (["my pin is one", "", "um one"], ["my pin is [NUMBER_1]", "", "um [NUMBER_1]"]),
        (["Oh.", "one of them"], ["Oh.", "one of them"]),
        (["That's a good one.", "One of them."], ["That's a good one.", "One of them."]),
    ],
)
def test_what_may_be_a_digit_is_one_where_a_number_goes_on(
    texts: list[str], wanted: list[str]
) -> None:
    assert finals(texts, TextRules(redacted=frozenset({"numbers"}))) == wanted


def test_a_final_shows_numbers_that_are_no_part_of_another() -> None:
    rules = TextRules(redacted=frozenset({"ssn"}))
    assert finals(["I have five cats", "seven dogs and", "", "two birds there"], rules) == [
        *("I have five cats", "seven dogs and", "", "two birds there"),
    ]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(("ssn", "pci", "numbers")), st.data())
def test_an_interim_shows_nothing_that_its_final_hides(kinds: str, data: st.DataObject) -> None:
    """Guards against a number that is read while it is said."""
    text = f"my number is {''.join(data.draw(dictated(9)))} okay"
    shown = hidden(text[: data.draw(st.integers(13, len(text)))], kinds, Reach.REVISABLE)
    assert leaks(shown) == []
    begun = shown.split()[-1].casefold()
    assert len(begun) < 2 or not any(word.startswith(begun) for word in WORDS)


@pytest.mark.parametrize(
    ("heard", "kinds", "replaced", "wanted"),
    [
        ("call Bob now", "numbers", (("bob", "555 1234"),), "call [NUMBER_1] now"),
        ("call Bob now", "numbers", (("bob", "five-five"),), "call [NUMBER_1] now"),
        ("it is Bob now", "ssn", (("bob", "123-45-6789"),), "it is [SSN_1] now"),
        (
            "one two three four and six seven eight nine ten okay",
            *("ssn", (("and", "5"), ("ten", "0")), "[SSN_1] okay"),
        ),
        ("12345 6789 so", "ssn", (("6789", "x"),), "[SSN_1] so"),
        ("123456789 so four", "ssn", (("so", "7"),), "[SSN_1]"),
    ],
)
def test_no_other_rule_shows_what_is_hidden(
    heard: str, kinds: str, replaced: tuple[tuple[str, str], ...], wanted: str
) -> None:
    """Guards numbers that a replacement brings in, or would take apart."""
    assert hidden(heard, kinds, replaced=replaced, numerals=True) == wanted


def test_redaction_stands_in_plain_text_too() -> None:
    assert hidden("Dial 555, please", "numbers", punctuated=False) == "dial [NUMBER_1] please"


def test_words_are_hidden_where_they_are_cut_otherwise_than_the_text() -> None:
    """Guards engines whose words are not those of the text with spaces between them."""
    words = tuple(Word(word, at, at + 1) for at, word in enumerate(("5", "5-", "12", "okay")))
    spoken = TextRules(redacted=frozenset({"numbers"})).apply("55-12 okay", words)
    assert spoken.text == "[NUMBER_1] okay"
    assert [(word.text, word.start, word.end) for word in spoken.words] == [
        *(("[NUMBER_1]", 0, 3), ("okay", 3, 4)),
    ]
