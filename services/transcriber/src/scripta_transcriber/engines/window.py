"""How much of Whisper's window a segment is given, and when its words are not believed. Pure.

The model was trained on windows of 30 s, and encoding one costs the same whatever is in it. It
hears shorter ones, too, and then fails in one way above all: it says the words twice, the more so
the shorter the window. What it says of a cut window is therefore looked at, and the whole window is
heard where something is odd.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.decoding import Heard

WINDOW_SECONDS: Final = 30.0
"""What the model hears at once."""

WINDOW_SAMPLES: Final = int(WINDOW_SECONDS * SAMPLE_RATE)

_STEP_SAMPLES: Final = 320

_LEAST_LETTERS: Final = 4
"""Letters of a repetition in scripts without spaces: words of theirs may double a letter."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How a window is cut, and when what comes of it is not believed.

    Decision 37 says on which recordings the numbers were chosen, and on which they were judged.

    Attributes:
        shortest_seconds: Shorter speech gets a whole window: the model knows a word by those
            around it, and of one or two alone it is hardly ever right in a cut one.
        silence_seconds: Silence behind the speech.
        least_seconds: Length of the shortest window.
        unlikely: Words of a lower mean log probability are not believed …
        unlikely_untold: … nor of a lower one than this, where the language was not told: words in
            a wrong language are seldom likely.
        no_speech: Nor are they if nobody speaks with a higher probability.
        words_per_second: More words in a second of audio were not said.
        sure_of_language: A language that is heard with a lower probability is not believed.
    """

    shortest_seconds: float = 1.3
    silence_seconds: float = 2.0
    least_seconds: float = 10.0
    unlikely: float = -0.6
    unlikely_untold: float = -0.5
    no_speech: float = 0.5
    words_per_second: float = 5.0
    sure_of_language: float = 0.5

    def samples(self, speech: int) -> int:
        """Returns the samples of the window for so many samples of speech."""
        if speech < self.shortest_seconds * SAMPLE_RATE:
            return WINDOW_SAMPLES
        silence = int(self.silence_seconds * SAMPLE_RATE)
        least = int(self.least_seconds * SAMPLE_RATE)
        # The encoder takes two frames of features at a time.
        whole_steps = -(-max(least, speech + silence) // _STEP_SAMPLES) * _STEP_SAMPLES
        return min(WINDOW_SAMPLES, whole_steps)

    def doubts(self, heard: Heard, seconds: float, *, told: bool, spaced: bool) -> bool:
        """Returns true if the words of a cut window are not to be believed.

        Args:
            heard: What the model says.
            seconds: Length of the audio that it is in.
            told: Whether the session says its language.
            spaced: Whether the script has spaces between words.
        """
        said = words_in(heard.text) if spaced else [*filter(str.isalnum, heard.text)]
        crowded = spaced and len(said) > self.words_per_second * seconds
        return (
            not heard.complete
            or heard.overfull
            or not said
            or crowded
            or heard.likelihood < (self.unlikely if told else self.unlikely_untold)
            or heard.no_speech > self.no_speech
            or says_again(said, 1 if spaced else _LEAST_LETTERS)
        )


def words_in(text: str) -> list[str]:
    """Returns the words of a text without their case and their signs."""
    words = ("".join(filter(str.isalnum, word)).casefold() for word in text.split())
    return [word for word in words if word]


def says_again(said: Sequence[str], least: int = 1) -> bool:
    """Returns true if a phrase is followed by itself somewhere.

    Args:
        said: Words, or letters.
        least: Length of the shortest phrase that counts.
    """
    return any(
        said[start : start + length] == said[start + length : start + 2 * length]
        for length in range(least, len(said) // 2 + 1)
        for start in range(len(said) - 2 * length + 1)
    )
