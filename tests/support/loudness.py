"""A cutter that is driven by the loudness of its audio in place of a voice detector."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scripta_common.wire import Checkpoint, Entry
from scripta_transcriber.segmenter.base import Cut
from scripta_transcriber.segmenter.cutter import SpeechCutter
from scripta_transcriber.segmenter.rules import Rules
from scripta_transcriber.segmenter.vad import FRAME_SAMPLES, Frame

RULES = Rules(
    endpoint_silence=0.3,
    pre_roll=0.1,
    post_roll=0.1,
    sure_probability=0.5,
    least_speech=0.03,
    least_word=0.03,
    least_fragment=0.03,
    pause_silence=0.06,
    longest_segment=2.0,
    search_window=1.0,
    longest_silence=1.5,
)
LOUD = 1.0
START = Checkpoint()
LogOf = Callable[..., list[Entry]]


class Loudness:
    """Takes a frame's mean level for its probability of speech.

    With a memory, a frame's answer also depends on all frames since the last reset, as a real
    detector's does.
    """

    def __init__(self, memory: float = 0.0) -> None:
        self._memory = memory
        self._last = 0.0

    def reset(self) -> None:
        self._last = 0.0

    def again(self, samples: Frame) -> list[float]:
        """Returns what a louder detector hears in whole frames; nothing where all is quiet."""
        frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES]
        levels = np.abs(frames.astype(np.float64)).reshape(-1, FRAME_SAMPLES).mean(axis=1) / 32767
        louder = np.minimum(1.0, 1.2 * levels)
        return [float(one) for one in louder] if louder.size and louder.max() >= 0.7 else []

    def probability(self, frame: Frame) -> float:
        level = float(np.abs(frame.astype(np.float64)).mean()) / 32767
        self._last = self._memory * self._last + (1 - self._memory) * level
        return self._last


def drive(
    entries: list[Entry],
    checkpoint: Checkpoint = START,
    rules: Rules = RULES,
    memory: float = 0.0,
) -> list[Cut]:
    return [cut for _, cuts in trace(entries, checkpoint, rules, memory) for cut in cuts]


def trace(
    entries: list[Entry], checkpoint: Checkpoint, rules: Rules, memory: float
) -> list[tuple[Entry, list[Cut]]]:
    cutter, voice = SpeechCutter(checkpoint, rules), Loudness(memory)
    steps = []
    for entry in entries:
        cutter.push(entry)
        steps.append((entry, run(cutter, voice)))
    return steps


def run(cutter: SpeechCutter, voice: Loudness) -> list[Cut]:
    """Drives a cutter until it wants more entries."""
    cuts = []

    def hear_again() -> None:
        if (unheard := cutter.unheard()) is not None:
            cutter.hear_again(voice.again(unheard.samples))

    while True:
        hear_again()
        frame = cutter.next_frame()
        if frame is None:
            hear_again()
            cut = cutter.boundary()
            if cut is None:
                return cuts
        else:
            cut = cutter.score(voice.probability(frame))
        if cut is not None:
            voice.reset()
            cuts.append(cut)


def pcm_of(*stretches: tuple[int, float]) -> bytes:
    """Audio of so many samples at such a level each."""
    levels = np.concatenate(
        [np.zeros(0), *(np.full(samples, level) for samples, level in stretches)]
    )
    return np.round(levels * 32767).astype("<i2").tobytes()
