"""What is said and what is heard: audio, a detector and an engine that are pure functions."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from scripta_common.sessionlog import Claim, SessionOptions
from scripta_common.wire import Checkpoint, Entry, Recorded
from scripta_transcriber.decisions import Decisions, is_audible
from scripta_transcriber.engines.base import Segment, Transcript
from scripta_transcriber.segmenter.base import Cut, Segmenter
from scripta_transcriber.segmenter.message import MessageSegmenter
from scripta_transcriber.segmenter.rules import Rules
from scripta_transcriber.segmenter.speech import SpeechSegmenter

RULES: Final = Rules(
    endpoint_silence=0.1,
    pre_roll=0.04,
    post_roll=0.06,
    sure_probability=0.6,
    least_speech=0.03,
    pause_silence=0.05,
    longest_segment=0.6,
    search_window=0.3,
    longest_silence=0.4,
)
"""Short enough for a few messages to be cut by every rule."""


class Cutting(StrEnum):
    """What segments are cut by."""

    SPEECH = "speech"
    MESSAGE = "message"


def audio(level: int, samples: int, number: int) -> bytes:
    """Returns audio of a loudness, 0 to 100, that differs from all other messages'."""
    pcm = np.full(samples, level * 300, dtype="<i2")
    pcm[::7] += np.int16(number % 250)
    return pcm.tobytes()


class Voice:
    """A detector that takes a frame's loudness for speech and remembers the frames before."""

    def __init__(self) -> None:
        self.detector = self.narrow = self
        self.level: object = None
        self._last = 0.0

    def stream(self) -> Voice:
        """Returns another one that has heard nothing."""
        return Voice()

    def reset(self) -> None:
        self._last = 0.0

    def probability(self, frame: npt.NDArray[np.int16]) -> float:
        level = min(1.0, float(frame.astype(np.float64).mean()) / 30_000)
        self._last = 0.25 * self._last + 0.75 * level
        return self._last


class Listener:
    """Segmenter, engine and decisions of one claim, as a transcription drives them."""

    def __init__(self, cutting: Cutting, claim: Claim) -> None:
        self.seq = claim.checkpoint.seq
        self.decisions = Decisions(claim, by_speech=cutting is Cutting.SPEECH)
        self._segmenter = _make_segmenter(cutting, claim.checkpoint)

    def hear(self, entries: Iterable[Entry]) -> tuple[bool, bool]:
        """Takes entries; returns whether there is something to commit and whether it ended."""
        cuts = [cut for entry in entries for cut in self._feed(entry)]
        for cut in cuts:
            segment = self.decisions.due(cut)
            heard = None
            if segment is not None and is_audible(segment):
                heard = _transcribe(segment)
            self.decisions.decide(cut, segment, heard)
        return bool(cuts), bool(cuts) and cuts[-1].ended

    def _feed(self, entry: Entry) -> list[Cut]:
        self.seq = entry.seq
        return self._segmenter.feed(entry)


def undisturbed(cutting: Cutting, entries: Iterable[Entry]) -> list[Recorded]:
    """Returns the results of a session that nothing ever happened to."""
    claim = Claim("reference", b"", 1, Checkpoint(), 0, SessionOptions())
    listener = Listener(cutting, claim)
    listener.hear(entries)
    return list(listener.decisions.pending().results)


def _transcribe(segment: Segment) -> Transcript:
    return Transcript(f"{zlib.crc32(segment.pcm):08x} {len(segment.pcm)} {segment.message_bytes}")


def _make_segmenter(cutting: Cutting, checkpoint: Checkpoint) -> Segmenter:
    if cutting is Cutting.MESSAGE:
        return MessageSegmenter(checkpoint)
    return SpeechSegmenter(checkpoint, Voice(), RULES)  # type: ignore[arg-type]
