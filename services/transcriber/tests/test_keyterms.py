"""What of a session's keyterms comes before Whisper's words, and which of its words it changes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from scripta_transcriber.engines.keyterms import MOST_TOKENS, brings_terms, prompt

pytestmark = pytest.mark.unit

PREVIOUS = -1


@dataclass(frozen=True)
class Said:
    text: str
    likelihood: float


def letters(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def test_terms_come_as_one_sentence_before_all_else() -> None:
    previous, *tokens = prompt(("Valkey", "Scripta"), letters, PREVIOUS)
    assert (previous, "".join(map(chr, tokens))) == (PREVIOUS, " Valkey, Scripta.")
    assert prompt((), letters, PREVIOUS) == ()


def test_only_whole_terms_come_and_at_most_half_of_the_context() -> None:
    """Guards a prompt that leaves the model no room for words, and half a name at its end."""
    before = prompt(tuple(f"name {n:03}" for n in range(100)), letters, PREVIOUS)
    assert len(before) <= MOST_TOKENS + 1
    assert "".join(map(chr, before[1:])).endswith("name 021.")
    assert prompt(("x" * 500,), letters, PREVIOUS) == ()


@pytest.mark.parametrize(
    ("said", "without", "brings"),
    [
        ("what Proserpina that", "what, Prosupina, that", True),
        ("what, Prosipina, that", "what, Prosupina, that", False),
        ("about Proserpinas", "about Prosupinas", False),
        ("Proserpina and valkey", "Proserpina and Val key.", True),
        ("and Valkey", "Proserpina! And Val key.", False),
        ("Ребят, на его месте", "Бедняга. Ребят, на его месте", False),
    ],
)
def test_words_are_changed_only_where_a_term_comes_in(
    said: str, without: str, brings: bool
) -> None:
    """Guards words that wrong terms change, and words that the model takes for said before."""
    terms = ("Proserpina", "Valkey", "бедняга")
    with_terms, plain = Said(said, -0.2), Said(without, -0.2)
    assert brings_terms(with_terms, plain, terms, spaced=True) == brings
    assert not brings_terms(Said(said, -0.3), plain, terms, spaced=True)


def test_terms_are_found_between_letters_where_a_language_has_no_spaces() -> None:
    said, without = Said("我在北京大学。", -0.1), Said("我在背景大学。", -0.1)
    assert brings_terms(said, without, ("北京大学",), spaced=False)
