"""How Whisper decodes a segment, and what it says of one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a segment is decoded, and when what came out is not believed.

    Attributes:
        beams: Hypotheses that are followed side by side.
        tokens_per_second: Most tokens a second of audio; scripts that the model spells in
            bytes need the most.
        least_tokens: Tokens that even the shortest segment may have.
        no_speech: From this probability of no speech on …
        unlikely: … words of a lower mean log probability than this were not said.
        letters_per_second: Letters and figures that a second of audio can hold; a model that
            says more repeats itself. A segment of which it says more is decoded in two halves.
        least_letters: Letters that even the shortest segment may have.
        divisible_seconds: Shorter audio has no halves, and a half is not divided again: where
            the model says more than these can hold, it is asked once more …
        unrepeated: … and says no run of so many tokens twice.
    """

    beams: int = 5
    tokens_per_second: float = 25.0
    least_tokens: int = 24
    no_speech: float = 0.6
    unlikely: float = -1.0
    letters_per_second: float = 25.0
    least_letters: int = 20
    divisible_seconds: float = 1.5
    unrepeated: int = 5


@dataclass(frozen=True, slots=True)
class Heard:
    """What the model says of a segment.

    Attributes:
        tokens: Its tokens.
        text: Their text; empty if it holds no word.
        likelihood: Mean log probability of the tokens.
        no_speech: Probability that nobody speaks.
        complete: Whether it is all that the model has to say.
        overfull: Whether it is more than the audio can hold.
        looping: Whether it ends with the same words again and again.
    """

    tokens: list[int]
    text: str
    likelihood: float
    no_speech: float
    complete: bool = True
    overfull: bool = False
    looping: bool = False
