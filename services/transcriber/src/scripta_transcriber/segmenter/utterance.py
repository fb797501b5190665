"""What is known of the speech since the last cut."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from scripta_transcriber.segmenter.levels import FRAME_SAMPLES
from scripta_transcriber.segmenter.pauses import Heard
from scripta_transcriber.segmenter.rules import Rules, frames_of
from scripta_transcriber.segmenter.vad import Frame


@dataclass(slots=True)
class Utterance:
    """Speech that has begun and is not cut yet. Positions are session samples.

    Attributes:
        onset: Where its first frame begins.
        first: Where its segment will start: at the onset or before.
        voiced_end: Where its last frame of speech ends.
        voiced_frames: How many frames of speech it has.
        surest: The highest probability of speech of all its frames.
        heard: All its frames, from the onset on.
        by_witness: Whether it is known by the witness only, as ``listen_again`` has it.
        shown: Whether an interim was given of it: no cut depends on it.
    """

    onset: int
    first: int
    voiced_end: int = 0
    voiced_frames: int = 0
    surest: float = 0.0
    heard: list[Heard] = field(default_factory=list)
    by_witness: bool = False
    shown: bool = False

    @classmethod
    def going_on(cls, sample: int) -> Utterance:
        """Returns speech that goes on where the last segment ended."""
        return cls(sample, sample, sample)

    def add(self, frame: Frame, probability: float, rules: Rules) -> None:
        """Takes the next frame.

        Args:
            frame: Its samples.
            probability: How likely it is speech.
            rules: What makes a frame speech.
        """
        self.surest = max(self.surest, probability)
        voiced = probability >= rules.keep_probability
        self.heard.append(Heard(voiced, _power(frame)))
        if voiced:
            self.voiced_end = self.onset + len(self.heard) * FRAME_SAMPLES
            self.voiced_frames += 1

    def go_on_with(self, later: Utterance) -> None:
        """Takes all frames of an utterance that begins where this one ends."""
        self.heard += later.heard
        self.surest = max(self.surest, later.surest)
        self.voiced_frames += later.voiced_frames
        self.voiced_end = max(self.voiced_end, later.voiced_end)

    def is_noise(self, rules: Rules) -> bool:
        """Returns true if it is too short or too doubtful to be speech."""
        return self.surest < rules.sure_probability or self.voiced_frames < frames_of(
            rules.least_speech
        )

    def holds_word(self, rules: Rules, *, cut_off: bool = False) -> bool:
        """Returns true if it can hold a word.

        Args:
            rules: What it has to have for that.
            cut_off: Whether a boundary cuts it off in the middle of speech.
        """
        least = rules.least_fragment if cut_off else rules.least_word
        return self.surest >= rules.sure_probability and self.voiced_frames >= frames_of(least)


def _power(frame: Frame) -> float:
    samples = frame.astype(np.float64)
    return float(samples @ samples) / len(samples)
