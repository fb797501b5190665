"""How long a cut window of Whisper is, and which words out of one are not believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.decoding import Heard
from scripta_transcriber.engines.window import WINDOW_SAMPLES, Cut, says_again, words_in

pytestmark = pytest.mark.unit

CUT = Cut(
    shortest_seconds=1.0,
    silence_seconds=2.0,
    least_seconds=6.0,
    unlikely=-0.7,
    unlikely_untold=-0.4,
    no_speech=0.5,
    words_per_second=5.0,
)


def heard(text: str, likelihood: float = -0.1, no_speech: float = 0.0) -> Heard:
    return Heard([1], text, likelihood, no_speech)


@pytest.mark.parametrize(
    ("speech", "window"), [(0.9, 30.0), (1.0, 6.0), (4.5, 6.5), (20.0, 22.0), (29.0, 30.0)]
)
def test_window_is_the_speech_and_silence_within_bounds(speech: float, window: float) -> None:
    assert CUT.samples(int(speech * SAMPLE_RATE)) == int(window * SAMPLE_RATE)


@pytest.mark.parametrize("speech", [16_001, 100_001, 123_457, 447_999, 479_999])
def test_encoder_gets_whole_steps(speech: int) -> None:
    samples = CUT.samples(speech)
    assert samples % 320 == 0
    assert speech <= samples <= WINDOW_SAMPLES


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("", False),
        ("Ребят.", False),
        ("Ребят. Ребят.", True),
        ("Какая сейчас погода? Какая сейчас погода?", True),
        ("Well, quel est-il ? Quel est-il ?", True),
        ("Ever tried. Ever failed. No matter.", False),
        ("it was the best of times, it was the worst of times", False),
    ],
)
def test_text_that_says_a_phrase_twice_is_found(text: str, again: bool) -> None:
    """Cut windows fail in this way: the model fills what it takes for more speech."""
    assert says_again(words_in(text)) is again


@pytest.mark.parametrize(
    ("said", "doubted"),
    [
        (heard("one two three"), False),
        (heard("one two three", likelihood=-0.71), True),
        (heard("one two three", no_speech=0.51), True),
        (heard("one two three four five six seven eight nine ten eleven"), True),
        (heard("one two two three"), True),
        (heard("..."), True),
        (heard(""), True),
        (replace(heard("one two three"), complete=False), True),
        (replace(heard("one two three"), overfull=True), True),
    ],
)
def test_odd_words_are_doubted(said: Heard, doubted: bool) -> None:
    assert CUT.doubts(said, 2.0, told=True, spaced=True) is doubted


def test_words_of_a_language_that_was_only_heard_have_to_be_likelier() -> None:
    """Guards Spanish that is written down as Catalan."""
    said = heard("one two three", likelihood=-0.5)
    assert not CUT.doubts(said, 2.0, told=True, spaced=True)
    assert CUT.doubts(said, 2.0, told=False, spaced=True)


def test_scripts_without_spaces_may_double_a_letter() -> None:
    assert not CUT.doubts(heard("谢谢大家"), 1.0, told=True, spaced=False)
    assert CUT.doubts(heard("今天天气今天天气"), 1.0, told=True, spaced=False)
