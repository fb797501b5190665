"""The scoring that all accuracy figures rest on."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def wer() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "bench" / "wer.py"
    spec = importlib.util.spec_from_file_location("bench_wer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What's the WEATHER like?", "whats the weather like"),
        ("uh, the um ill-disposed man", "the ill disposed man"),
        ("3 hours and 10 minutes", "three hours and ten minutes"),
        ("In 2021, 1,250 people; in 1905 and 1900", "in twenty twenty one one thousand two "
         "hundred fifty people in nineteen five and nineteen hundred"),
        ("the 21st and 30th", "the twenty first and thirtieth"),
        ("$5 or 6%", "five dollars or six percent"),
        ("3.14 and 007", "three point one four and zero zero seven"),
        ("2005 and 64000000", "two thousand five and sixty four million"),
    ],
)  # fmt: skip
def test_english_is_normalised(wer: ModuleType, text: str, words: str):
    assert wer.units(text, "en") == words.split()


def test_chinese_is_counted_in_characters(wer: ModuleType):
    assert wer.units("你好，世界！", "zh") == ["你", "好", "世", "界"]


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "a x c", 1),
        ("a b", "", 2),
        ("", "a", 1),
        ("a b c", "b c d", 2),
    ],
)  # fmt: skip
def test_errors_are_the_edit_distance(wer: ModuleType, said: str, heard: str, errors: int):
    assert wer.edit_distance(said.split(), heard.split()) == errors


def test_best_spelling_counts_and_scores_add_up(wer: ModuleType):
    first = wer.score(["nevermind", "never mind"], "Never mind.", "en")
    second = wer.score(["go forward ten meters"], "Go forward 10 metres", "en")
    assert (first + second).errors == 1
    assert (first + second).words == 6
    assert wer.score([""], "You", "en").rate == float("inf")
