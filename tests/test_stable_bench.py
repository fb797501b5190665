"""The measure of stable words: which of them are in the final, and how late they became stable."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from scripta_transcriber.hypothesis import Words

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    folder = str(Path(__file__).resolve().parents[1] / "bench")
    sys.path.insert(0, folder)
    try:
        yield importlib.import_module("stable")
    finally:
        sys.path.remove(folder)


@pytest.mark.parametrize(
    ("stable", "final", "missing"),
    [
        ("a b c", "a b c d", 0),
        ("a b c", "a x c d", 1),
        ("a b c", "a b x c", 0),
        ("a b b", "a b", 1),
        ("a b", "", 2),
        ("", "a", 0),
    ],
)
def test_stable_word_differs_if_it_is_not_in_order_in_the_final(
    bench: ModuleType, stable: str, final: str, missing: int
):
    assert bench.missing(stable.split(), final.split()) == missing


def test_tally_counts_words_signs_cuts_shares_and_lag(bench: ModuleType):
    interims = [
        (1.0, Words("It was", "")),
        (1.5, Words("It was the end.", "It was")),
        (2.0, Words("It was the end. Of", "It was the end.")),
    ]
    seen = bench.tally(bench.Spoken(interims, "It was the"), "End of")
    assert (seen.words, seen.differ, seen.written, seen.behind) == (4, 1, 1, 1)
    assert seen.interims == 3
    assert seen.shares == pytest.approx(0 + 2 / 4 + 4 / 5)
    assert seen.lag == pytest.approx(4 * 0.5)
    assert (seen + seen).words == 8
