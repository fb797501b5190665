"""Which words of a draft are sure: told by the rivals that each of its tokens had."""

from __future__ import annotations

import pytest

from scripta_transcriber.engines.moonshine.decoder import Said
from scripta_transcriber.engines.moonshine.sureness import Distances, sure_words

pytestmark = pytest.mark.unit

PIECES = [
    "",
    "",
    "",
    *(" it", " was", " the", " Sty", "les", " sty", ",", ".", "s", " town", " its", "y"),
]
IT, WAS, THE, STY, LES, SMALL_STY, COMMA, STOP, S, TOWN, ITS, Y = range(3, 15)
END = 2
DISTANCES = Distances(word=2.0, any=0.8)


def sure(tokens: list[int], rivals: dict[int, dict[int, float]]) -> list[bool]:
    near = tuple(rivals.get(place, {}) for place in range(len(tokens) + 1))
    said = Said(tokens, 0.0, complete=True, rivals=near)
    return [one for _, one in sure_words(said, PIECES.__getitem__, DISTANCES)]


def test_words_without_rivals_are_sure():
    said = Said([IT, STY, LES, COMMA, WAS], 0.0, complete=True, rivals=({},) * 6)
    words = sure_words(said, PIECES.__getitem__, DISTANCES)
    assert words == (("it", True), ("Styles,", True), ("was", True))


@pytest.mark.parametrize(
    ("place", "rival", "distance", "expected"),
    [
        (0, THE, 1.9, [False, True]),  # another word
        (0, THE, 2.1, [True, True]),
        (0, END, 1.9, [False, True]),  # none
        (1, STOP, 0.9, [True, True]),  # another sign
        (1, STOP, 0.7, [False, True]),
        (1, S, 1.9, [False, True]),  # the word would go on
        (1, WAS, 1.9, [True, True]),  # no sign
        (2, COMMA, 1.9, [True, True]),  # a sign more
        (3, S, 1.9, [True, False]),  # the last word would go on
        (3, WAS, 0.1, [True, True]),  # something follows
    ],
)
def test_rivals_that_make_another_word_count_most(
    place: int, rival: int, distance: float, expected: list[bool]
):
    assert sure([IT, COMMA, TOWN], {place: {rival: distance}}) == expected


def test_case_makes_no_other_word():
    assert sure([STY, LES], {0: {SMALL_STY: 1.0}}) == [True]
    assert sure([STY, LES], {0: {SMALL_STY: 0.5}}) == [False]
    assert sure([STY, LES], {1: {Y: 1.0}}) == [False]
    assert sure([IT], {0: {ITS: 1.0}}) == [False]


def test_tokens_that_were_cut_off_do_not_matter():
    said = Said([IT], 0.0, complete=False, rivals=({}, {THE: 0.1}, {}))
    assert sure_words(said, PIECES.__getitem__, DISTANCES) == (("it", True),)
