from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripta_client.captions import CAPTION_SECONDS, LINE_LETTERS, Captioner
from scripta_client.events import Final, Word

pytestmark = pytest.mark.unit


def spoken(text, start=0.0, each=0.3):
    """A final whose words follow each other without a pause."""
    words = tuple(
        Word(word, start + number * each, start + (number + 1) * each)
        for number, word in enumerate(text.split())
    )
    return Final(1, text, start, start + len(words) * each, words=words)


def plain(captions):
    return [(caption.start, caption.end, caption.text) for caption in captions]


def test_short_final_is_one_caption():
    assert plain(Captioner().captions(spoken("hello there you"))) == [(0, 900, "hello there you")]


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_nothing_said_is_no_caption(text):
    assert Captioner().captions(Final(1, text, 0.0, 1.0)) == []


def test_long_final_is_cut_by_the_times_of_its_words():
    text = "one two three four five six seven eight nine ten " * 4
    captions = Captioner().captions(spoken(text.strip()))
    assert len(captions) > 1
    assert " ".join(" ".join(caption.text.split()) for caption in captions) == text.strip()
    words_before = len(captions[0].text.split())
    assert captions[1].start == round(words_before * 300)
    assert all(caption.end - caption.start <= CAPTION_SECONDS * 1000 for caption in captions)


def test_pause_parts_captions_and_words_keep_their_times_beside_punctuation():
    words = (Word("before", 0.0, 0.5), Word("after", 3.0, 3.5))
    captions = Captioner().captions(Final(1, "before, after.", 0.0, 4.0, words=words))
    assert plain(captions) == [(0, 1000, "before,"), (3000, 4000, "after.")]


def test_sentences_part_captions():
    text = "This is the first of the sentences. And this one is the second."
    captions = Captioner().captions(spoken(text, each=0.1))
    assert [caption.text for caption in captions] == [
        "This is the first of the sentences.",
        "And this one is the second.",
    ]


def test_words_that_do_not_fit_the_text_are_left_aside():
    words = (Word("something", 0.0, 0.5), Word("else", 0.5, 1.0))
    captions = Captioner().captions(Final(1, "the real text", 0.0, 2.0, words=words))
    assert plain(captions) == [(0, 2000, "the real text")]


def test_two_lines_are_about_the_same_length():
    text = "the quick brown fox jumps over the lazy dog and runs away"
    (caption,) = Captioner().captions(spoken(text, each=0.2))
    assert caption.text == "the quick brown fox jumps over\nthe lazy dog and runs away"


def test_script_without_spaces_is_cut_too():
    captions = Captioner().captions(Final(1, "語" * 200, 0.0, 20.0))
    assert "".join(caption.text.replace("\n", "") for caption in captions) == "語" * 200
    assert all(len(line) <= LINE_LETTERS for c in captions for line in c.text.split("\n"))


def test_overlapping_finals_make_captions_that_do_not_overlap():
    captioner = Captioner()
    first = captioner.captions(spoken("one two three", start=0.0))
    second = captioner.captions(spoken("four five six", start=0.6))
    assert second[0].start == first[-1].end


finals = st.lists(
    st.tuples(
        st.lists(st.text("ab.,?語 ", min_size=1, max_size=60), max_size=25),
        st.floats(0, 5),
        st.floats(0, 40),
    ),
    max_size=4,
)


@given(finals)
def test_captions_are_readable_in_order_and_lose_no_letter(spans):
    captioner = Captioner()
    at = 0.0
    last = 0
    for index, (words, pause, length) in enumerate(spans, 1):
        text = " ".join(words)
        captions = captioner.captions(Final(index, text, at + pause, at + pause + length))
        at += pause + length
        written = "".join(caption.text for caption in captions)
        assert re.sub(r"\s", "", written) == re.sub(r"\s", "", text)
        for caption in captions:
            assert last <= caption.start < caption.end
            lines = caption.text.split("\n")
            assert 1 <= len(lines) <= 2
            assert all(0 < len(line) <= LINE_LETTERS for line in lines)
            last = caption.end
