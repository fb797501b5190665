"""What a session must have heard, whole or cut short."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripta_load.errors import BadOption
from scripta_load.reference import Final, Reference
from scripta_load.words import Count

pytestmark = pytest.mark.unit

FINALS = (
    Final(1, "one two", 0.5, 2.0, "endpoint"),
    Final(2, "three", 3.0, 10.0, "length"),
    Final(3, "four five", 10.0, 20.0, "endpoint"),
    Final(4, "six", 21.0, 22.0, "end"),
)
REFERENCE = Reference.heard(FINALS)


def count(finals: tuple[Final, ...], seconds: float, *, whole: bool = False) -> Count:
    return REFERENCE.count(finals, whole=whole, seconds=seconds, messages=0)


def test_whole_session_must_have_heard_all() -> None:
    assert count(FINALS, 22.0, whole=True) == Count(6)
    assert count(FINALS[:3], 22.0, whole=True) == Count(6, lost=1)


def test_cut_session_owes_only_what_was_decided_by_then() -> None:
    assert count((), 2.5) == Count(0)
    assert count((), 3.0) == Count(2, lost=2)


def test_segment_cut_for_its_length_is_owed_only_once_it_was_too_long() -> None:
    """Its end lies before the audio that made it too long."""
    assert count(FINALS[:1], 12.0) == Count(2)
    assert count(FINALS[:1], 19.0) == Count(3, lost=1)


def test_rest_of_a_cut_session_is_nobodys_concern() -> None:
    """What was open when the audio ended is cut elsewhere, and may sound otherwise."""
    tail = Final(3, "for fi", 10.0, 12.0, "end")
    assert count((*FINALS[:2], tail), 19.0) == Count(3)


def test_first_finals_of_a_cut_session_are_compared_word_for_word() -> None:
    doubled = Final(1, "one two one two", 0.5, 2.0, "endpoint")
    assert count((doubled,), 4.0) == Count(2, added=2)


def test_mock_engines_finals_are_counted_by_message() -> None:
    finals = tuple(Final(n, f"Transcribed: {n}", 0.0, 0.1, "message") for n in (1, 2, 3))
    reference = Reference.heard(finals)
    assert reference.by_message
    assert reference.count(finals, whole=False, seconds=9.0, messages=4) == Count(4, lost=1)
    assert not REFERENCE.by_message


def test_text_is_compared_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("One, two — three. Four five six!")
    reference = Reference.read(str(path))
    assert reference.count(FINALS, whole=True, seconds=22.0, messages=0) == Count(6)


def test_text_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match=r"nowhere\.txt"):
        Reference.read(str(tmp_path / "nowhere.txt"))
