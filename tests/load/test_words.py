"""What counts as a lost word."""

from __future__ import annotations

import pytest

from scripta_load.words import Count, count_messages, count_words, words_of

pytestmark = pytest.mark.unit


def counted(expected: str, heard: str) -> Count:
    return count_words(words_of(expected), words_of(heard))


def test_case_and_punctuation_are_no_words() -> None:
    assert counted("It's the best — of times!", "it’s the Best of times.") == Count(expected=5)


@pytest.mark.parametrize(
    ("heard", "count"),
    [
        ("one two three four", Count(4)),
        ("one two", Count(4, lost=2)),
        ("one four", Count(4, lost=2)),
        ("", Count(4, lost=4)),
        ("one two two three four", Count(4, added=1)),
        ("one two three four one two three four", Count(4, added=4)),
        ("one too three four", Count(4, changed=1)),
        ("one x four", Count(4, lost=1, changed=1)),
        ("one x y z four", Count(4, added=1, changed=2)),
    ],
)
def test_words_are_lost_added_or_changed(heard: str, count: Count) -> None:
    assert counted("one two three four", heard) == count


def test_counts_add_up() -> None:
    assert Count(4, 1, 2, 3) + Count(10, 20, 30, 40) == Count(14, 21, 32, 43)


def test_each_message_is_to_have_one_final() -> None:
    assert count_messages(5, 5) == Count(5)
    assert count_messages(5, 3) == Count(5, lost=2)
    assert count_messages(5, 6) == Count(5, added=1)
