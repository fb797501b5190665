"""What a loop is: the same phrase often enough, at the end."""

from __future__ import annotations

import pytest

from scripta_transcriber.engines.repetition import cut_loop, ends_in_loop, loop_length

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("tokens", "length"),
    [
        ([1] * 12, 1),
        ([1] * 11, 0),
        ([9, 8, *[1, 2] * 6], 2),
        ([*[1, 2, 3] * 4], 3),
        ([*[1, 2, 3] * 3], 0),
        ([*[1] * 20, 2], 0),
        ([], 0),
    ],
)
def test_loop_is_found_by_its_turns(tokens: list[int], length: int):
    assert loop_length(tokens) == length


def test_loop_is_cut_to_one_turn():
    assert cut_loop([9, 8, *[1, 2] * 6], 2) == [9, 8, 1, 2]


@pytest.mark.parametrize(
    ("text", "spaced", "expected"),
    [
        ("No, no, " * 6, True, True),
        ("Well. " + "I do not know, " * 4, True, True),
        ("No, no, no, no, no.", True, False),
        ("No, " * 20 + "I want the blue one.", True, False),
        ("谢谢" * 6, False, True),
        ("谢谢大家", False, False),
        ("", True, False),
    ],
)
def test_text_ends_in_a_loop_whatever_its_signs(text: str, spaced: bool, expected: bool):
    assert ends_in_loop(text, spaced=spaced) == expected
