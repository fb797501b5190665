"""Decides where a session is cut: the state machine behind ``SpeechSegmenter``.

Audio and probabilities of speech go in, cuts come out. What always holds: segments do not overlap,
every cut moves the checkpoint on, and after every cut the machine stands as if it had been made
at its checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from scripta_common.wire import SAMPLE_RATE, Checkpoint, Entry, EntryKind, Reason
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.segmenter.base import Cut
from scripta_transcriber.segmenter.levels import FRAME_SAMPLES
from scripta_transcriber.segmenter.music import is_music
from scripta_transcriber.segmenter.pauses import Heard, earliest, quietest
from scripta_transcriber.segmenter.rules import Rules
from scripta_transcriber.segmenter.tape import Tape
from scripta_transcriber.segmenter.vad import Frame

_KNOWN_FRAMES = 10
"""Frames of speech behind which its level is known: what was doubtful before is heard again."""

_TOLD_SAMPLES = round(0.4 * SAMPLE_RATE)
"""Samples of a segment by which it is known to be music or not: none shorter has an interim."""


class Unheard(NamedTuple):
    """What is to be heard again.

    Attributes:
        samples: All audio since the checkpoint.
        last: Whether it is for the last time: what comes of it is decided then.
    """

    samples: Frame
    last: bool


class SpeechCutter:
    """Decides where a session is cut.

    Drive it so: ``push`` entries; take ``next_frame`` and answer each with ``score``; when
    there is none, ask for a ``boundary``. Whenever one of the last two returns a cut, start
    the detector's stream afresh before the next frame. Before you ask for a frame or a boundary,
    listen again to what is ``unheard``, and answer it with ``hear_again``.
    """

    def __init__(self, checkpoint: Checkpoint, rules: Rules, language: str | None = None) -> None:
        self._rules = rules
        self._language = language
        self._endpoint = _samples(rules.endpoint_silence)
        self._pre_roll = _samples(rules.pre_roll)
        self._reach = max(self._pre_roll, _samples(min(rules.reach, rules.longest_segment / 4)))
        # The rest of a short endpoint silence is left to the next segment as its pre-roll.
        self._post_roll = min(_samples(rules.post_roll), self._endpoint // 2)
        self._pause = _samples(rules.pause_silence)
        self._longest = _samples(rules.longest_segment)
        self._longest_silence = _samples(rules.longest_silence)
        self._least_frames = _frames(rules.least_speech)
        self._window_frames = max(1, _samples(rules.search_window) // FRAME_SAMPLES)
        self._tape = Tape(checkpoint)
        self._frame: Frame | None = None
        # Whether a control entry is next, with less than a frame before it.
        self._at_boundary = False
        self._onset: int | None = None
        # Where the open segment starts; of no meaning without an onset.
        self._first = 0
        self._voiced_end = self._voiced_frames = 0
        self._surest = 0.0
        self._heard: list[Heard] = []
        # Whether an interim was given of the open segment: no cut depends on it.
        self._shown = False
        # Where a frame was last doubtful that was not heard again, whether any frame on the tape
        # is doubtful, how much of the tape was heard again, and all of these stretches together.
        self._doubt: int | None = None
        self._doubtful = False
        self._heard_again = self._heard_again_in_all = 0
        if checkpoint.speaking:
            self._go_on(checkpoint.sample)

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks, nor has begun to."""
        return self._onset is None

    @property
    def position(self) -> int:
        """Session sample up to which audio was heard."""
        return self._tape.position

    def push(self, entry: Entry) -> None:
        """Takes the next entry; audio in it that lies before the checkpoint is skipped."""
        self._tape.push(entry)

    def next_frame(self) -> Frame | None:
        """Returns the next ``FRAME_SAMPLES`` samples, which ``score`` is owed an answer to.

        ``None`` means that a boundary comes first or that audio is wanting.
        """
        if self._frame is not None:
            raise RuntimeError("the last frame has no score yet")
        while (frame := self._tape.read(FRAME_SAMPLES)) is None:
            if not self._tape.meets_pause or self._silence_before_pause():
                break
            self._tape.pass_pause()
        self._frame = frame
        self._at_boundary = frame is None and self._tape.meets_boundary
        return frame

    def score(self, probability: float) -> Cut | None:
        """Takes the probability of speech in the last frame; returns a cut if it decides one."""
        if self._frame is None:
            raise RuntimeError("there is no frame to score")
        frame, self._frame = self._frame, None
        now = self._tape.position
        if self._onset is None and probability < self._rules.start_probability:
            if probability >= self._rules.doubtful_probability:
                self._doubt, self._doubtful = now, True
            return self._pass_silence(now)
        onset = self._hear(frame, probability, now)
        if self._is_too_long():
            return self._cut_long(onset)
        ends = self._rules.ends_in_silence or self._is_noise()
        if ends and now - self._voiced_end >= self._endpoint:
            return self._end_speech()
        if now + FRAME_SAMPLES - self._first > self._longest:
            return self._cut_long(onset)
        return None

    def unheard(self) -> Unheard | None:
        """Returns the audio since the checkpoint if it is to be heard again, else ``None``.

        That is before it would be passed as silence, or at a boundary, where frames were doubtful.
        And it is behind the start of speech that doubtful frames precede: they may be its start.
        Before that it is heard again, less thoroughly, behind doubtful frames that silence follows:
        each time it is twice as long as all that was heard again together.
        """
        last = self._is_unheard_at_boundary() if self._at_boundary else self._is_unheard()
        if not last and not self._is_worth_another_try():
            return None
        if last:
            self._doubt = None
        pcm = self._tape.pcm(self._tape.start, self._tape.position)
        return Unheard(np.frombuffer(pcm, dtype="<i2"), last)

    def _is_unheard(self) -> bool:
        here = self._tape.position - self._tape.start
        if self._onset is not None:
            silence = self._tape.position - self._voiced_end + FRAME_SAMPLES
            ends = silence >= min(self._endpoint, self._pause)
            known = ends or self._voiced_frames >= _KNOWN_FRAMES
            # A noise is forgotten when it ends, and is doubtful then itself.
            return self._doubt is not None and known and not self._is_noise()
        if here + FRAME_SAMPLES >= self._longest_silence:
            return self._doubtful and here > self._heard_again
        return False

    def _is_worth_another_try(self) -> bool:
        if self._at_boundary or self._onset is not None or self._doubt is None:
            return False
        here = self._tape.position - self._tape.start
        silence = self._tape.position - self._doubt
        return silence >= self._endpoint and here >= 2 * self._heard_again_in_all

    def _is_unheard_at_boundary(self) -> bool:
        if self._tape.position - self._tape.start <= self._heard_again:
            return False
        if self._onset is not None and self._doubt is not None:
            return True
        doubtful = self._onset is not None or self._doubtful
        return doubtful and not self._holds_word(cut_off=False)

    def hear_again(self, probabilities: Sequence[float]) -> None:
        """Takes the probability of speech in each frame of what was unheard.

        Args:
            probabilities: Of all frames since the checkpoint; nothing if nobody speaks in them.
        """
        if probabilities:
            self._doubt = None
        self._heard_again = self._tape.position - self._tape.start
        self._heard_again_in_all += self._heard_again
        if probabilities and not self._holds_word(cut_off=False):
            self._forget_speech()
        until = self._tape.position if self._onset is None else self._onset
        frames = range((until - self._tape.start) // FRAME_SAMPLES)
        starts = (
            i
            for i in frames[: len(probabilities)]
            if probabilities[i] >= self._rules.start_probability
        )
        if (first := next(starts, None)) is not None:
            self._begin_earlier(first, probabilities[first : len(frames)])

    def _begin_earlier(self, first: int, probabilities: Sequence[float]) -> None:
        """Lets speech begin with a frame of the tape, and notes what was heard from there on."""
        later, surest, frames = self._heard, self._surest, self._voiced_frames
        end = self._voiced_end
        self._forget_speech()
        for number, probability in enumerate(probabilities, first):
            at = self._tape.start + number * FRAME_SAMPLES
            frame = np.frombuffer(self._tape.pcm(at, at + FRAME_SAMPLES), dtype="<i2")
            self._hear(frame, probability, at + FRAME_SAMPLES)
        self._heard += later
        self._surest = max(self._surest, surest)
        self._voiced_frames += frames
        self._voiced_end = max(self._voiced_end, end)

    def boundary(self) -> Cut | None:
        """Returns the cut of the pause or the control entry that is next in line, if one is."""
        self._at_boundary = False
        if self._onset is not None and self._is_too_long():
            return self._cut_long(self._onset)
        if self._tape.meets_pause:
            return self._cut_at_pause(self._silence_before_pause())
        entry = self._tape.boundary()
        if entry is None:
            return None
        now = self._tape.end
        if entry.is_clear:
            return Cut(None, self._start_afresh(now, consumed=entry.seq))
        ended = entry.kind is EntryKind.END
        reason = Reason.END if ended else entry.reason
        segment: Segment | None = None
        # The last word of a recording may be trimmed to its length: it is whole.
        cut_off = not ended and now - self._voiced_end < 2 * FRAME_SAMPLES
        if self._holds_word(cut_off=cut_off):
            segment = self._spoken(min(now, self._voiced_end + self._post_roll), reason)
        if segment is None and not ended:
            segment = Segment(now, b"", reason, accepted_ms=entry.accepted_ms)
        speaking = cut_off and bool(segment and segment.pcm)
        checkpoint = self._start_afresh(now, consumed=entry.seq, speaking=speaking)
        return Cut(segment, checkpoint, ended=ended)

    def open_segment(self) -> Segment | None:
        """Returns the speech since the last cut, once it is more than a noise or music."""
        if self._onset is None or self._is_noise():
            return None
        self._shown = self._shown or self._is_sure_to_be_spoken()
        if not self._shown:
            return None
        # No cut for length comes before this, however the speech goes on.
        frames = (self._longest - (self._onset - self._first)) // FRAME_SAMPLES
        heard = self._heard[:frames]
        kept = self._onset + FRAME_SAMPLES * earliest(heard, frames - self._window_frames)
        return replace(self._segment(self._tape.position, Reason.LENGTH), kept=kept)

    def speech_start(self) -> int | None:
        """Returns where the open segment starts, once it is more than a noise; it may be music."""
        return None if self._onset is None or self._is_noise() else self._first

    def _hear(self, frame: Frame, probability: float, now: int) -> int:
        """Notes a frame of what may be speech; returns where that began."""
        if self._onset is None:
            self._onset = now - FRAME_SAMPLES
            self._first = self._reach_back(self._onset, float(frame.var()))
        self._surest = max(self._surest, probability)
        voiced = probability >= self._rules.keep_probability
        if voiced:
            self._voiced_end = now
            self._voiced_frames += 1
        self._heard.append(Heard(voiced, _power(frame)))
        return self._onset

    def _silence_before_pause(self) -> int:
        """Returns the samples of silence that end speech at a pause of the client, else 0."""
        if not self._rules.ends_in_silence:
            return 0
        silence = self._tape.position - self._voiced_end
        return silence if silence >= self._pause and self._holds_word(cut_off=False) else 0

    def _cut_at_pause(self, silence: int) -> Cut:
        # Speech may go on behind the pause at once: the rest of the silence is its pre-roll.
        end = self._voiced_end + min(self._post_roll, silence // 2)
        segment = self._spoken(end, Reason.IDLE)
        return Cut(segment, self._start_afresh(end))

    def _holds_word(self, *, cut_off: bool) -> bool:
        """Returns true if the speech before a boundary, which may cut it off, can hold a word."""
        least = self._rules.least_fragment if cut_off else self._rules.least_word
        sure = self._surest >= self._rules.sure_probability
        return sure and self._voiced_frames >= _frames(least)

    def _is_noise(self) -> bool:
        return (
            self._surest < self._rules.sure_probability or self._voiced_frames < self._least_frames
        )

    def _is_too_long(self) -> bool:
        return self._tape.position - self._first > self._longest and not self._is_noise()

    def _pass_silence(self, now: int) -> Cut | None:
        if now - self._tape.start < self._longest_silence:
            return None
        return Cut(None, self._start_afresh(now - self._pre_roll))

    def _end_speech(self) -> Cut | None:
        if self._is_noise():
            self._doubt, self._doubtful = self._voiced_end, True
            self._forget_speech()
            return None
        end = self._voiced_end + self._post_roll
        segment = self._spoken(end, Reason.ENDPOINT)
        return Cut(segment, self._start_afresh(end))

    def _cut_long(self, onset: int) -> Cut:
        if self._is_noise():
            return Cut(None, self._start_afresh(self._tape.position - self._pre_roll))
        # Heard again, speech may have begun so much earlier that it is too long already.
        heard = self._heard[: max(2, (self._longest - (onset - self._first)) // FRAME_SAMPLES)]
        pause = quietest(heard, max(1, len(heard) - self._window_frames))
        first = onset + pause.first * FRAME_SAMPLES
        middle = onset + (pause.first + pause.last) * FRAME_SAMPLES // 2
        end = min(middle, first + max(self._post_roll, FRAME_SAMPLES))
        segment = self._spoken(end, Reason.LENGTH)
        return Cut(segment, self._start_afresh(end, speaking=True))

    def _reach_back(self, onset: int, power: float) -> int:
        """Returns where the segment starts whose first frame of speech has this power."""
        # The detector notices some words late: what is nearly as loud before them belongs to it.
        first = max(self._tape.start, onset - self._pre_roll)
        farthest = max(self._tape.start, onset - self._reach) + FRAME_SAMPLES
        while first >= farthest:
            before = np.frombuffer(self._tape.pcm(first - FRAME_SAMPLES, first), dtype="<i2")
            if before.var() <= power * self._rules.loud_share:
                break
            first -= FRAME_SAMPLES
        return first

    def _is_sure_to_be_spoken(self) -> bool:
        known = self._tape.position - self._first >= _TOLD_SAMPLES
        return known and self._spoken(self._tape.position, Reason.LENGTH) is not None

    def _spoken(self, end: int, reason: Reason) -> Segment | None:
        """Returns the segment that ends there; ``None`` if it is music."""
        segment = self._segment(end, reason)
        return None if is_music(np.frombuffer(segment.pcm, dtype="<i2")) else segment

    def _segment(self, end: int, reason: Reason) -> Segment:
        if self._onset is None:
            raise RuntimeError("there is no speech to make a segment of")
        return Segment(
            start=self._first,
            pcm=self._tape.pcm(self._first, end),
            reason=reason,
            accepted_ms=self._tape.accepted_ms(end),
            language=self._language,
        )

    def _forget_speech(self) -> None:
        self._onset = None
        self._voiced_end = self._voiced_frames = 0
        self._surest = 0.0
        self._heard = []
        self._shown = False

    def _start_afresh(
        self, sample: int, consumed: int | None = None, *, speaking: bool = False
    ) -> Checkpoint:
        self._forget_speech()
        self._doubt, self._doubtful = None, False
        self._heard_again = self._heard_again_in_all = 0
        if speaking:
            self._go_on(sample)
        return self._tape.rewind(sample, consumed, speaking=speaking)

    def _go_on(self, sample: int) -> None:
        """Begins a segment where the last one ended: a cold detector would miss its start."""
        self._onset = self._first = self._voiced_end = sample


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


def _frames(seconds: float) -> float:
    return seconds * SAMPLE_RATE / FRAME_SAMPLES


def _power(frame: Frame) -> float:
    samples = frame.astype(np.float64)
    return float(samples @ samples) / len(samples)
