"""Decides where a session is cut: the state machine behind ``SpeechSegmenter``.

Audio and probabilities of speech go in, cuts come out. What always holds: segments do not overlap,
every cut moves the checkpoint on, and after every cut the machine stands as if it had been made
at its checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scripta_common.wire import Checkpoint, Entry, EntryKind, Reason
from scripta_transcriber.engines.base import NO_HINTS, Hints, Segment
from scripta_transcriber.segmenter.base import Cut
from scripta_transcriber.segmenter.doubt import Doubt, Unheard
from scripta_transcriber.segmenter.levels import FRAME_SAMPLES
from scripta_transcriber.segmenter.music import is_music
from scripta_transcriber.segmenter.pauses import earliest, quietest
from scripta_transcriber.segmenter.rules import Rules, samples_of
from scripta_transcriber.segmenter.tape import Tape
from scripta_transcriber.segmenter.utterance import Utterance
from scripta_transcriber.segmenter.vad import Frame

_TOLD_SAMPLES = samples_of(0.4)
"""Samples of a segment by which it is known to be music or not: none shorter has an interim."""


class SpeechCutter:
    """Decides where a session is cut.

    Drive it so: ``push`` entries; take ``next_frame`` and answer each with ``score``; when
    there is none, ask for a ``boundary``. Whenever one of the last two returns a cut, start
    the detector's stream afresh before the next frame. Before you ask for a frame or a boundary,
    listen again to what is ``unheard``, and answer it with ``hear_again``.
    """

    def __init__(self, checkpoint: Checkpoint, rules: Rules, hints: Hints = NO_HINTS) -> None:
        self._rules = rules
        self._hints = hints
        self._endpoint = samples_of(rules.endpoint_silence)
        self._pre_roll = samples_of(rules.pre_roll)
        self._reach = max(self._pre_roll, samples_of(min(rules.reach, rules.longest_segment / 4)))
        # The rest of a short endpoint silence is left to the next segment as its pre-roll.
        self._post_roll = min(samples_of(rules.post_roll), self._endpoint // 2)
        self._pause = samples_of(rules.pause_silence)
        self._longest = samples_of(rules.longest_segment)
        self._longest_silence = samples_of(rules.longest_silence)
        self._window_frames = max(1, samples_of(rules.search_window) // FRAME_SAMPLES)
        self._tape = Tape(checkpoint)
        self._frame: Frame | None = None
        # Whether a control entry is next, with less than a frame before it.
        self._at_boundary = False
        self._doubt = Doubt(rules)
        self._speech = Utterance.going_on(checkpoint.sample) if checkpoint.speaking else None

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks, nor has begun to."""
        return self._speech is None

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
            if not self._tape.meets_pause or self._speech_that_pauses() is not None:
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
        if self._speech is None and probability < self._rules.start_probability:
            if probability >= self._rules.doubtful_probability:
                self._doubt.note(self._tape.heard)
            return self._pass_silence(now)
        speech = self._hear(frame, probability, now - FRAME_SAMPLES)
        if self._is_too_long(speech):
            return self._cut_long(speech)
        ends = self._rules.ends_in_silence or speech.is_noise(self._rules)
        if ends and now - speech.voiced_end >= self._endpoint:
            return self._end_speech(speech)
        if now + FRAME_SAMPLES - speech.first > self._longest:
            return self._cut_long(speech)
        return None

    def unheard(self) -> Unheard | None:
        """Returns the audio since the checkpoint if it is to be heard again, else ``None``."""
        here, speech = self._tape.heard, self._speech
        if self._at_boundary:
            last = self._doubt.is_due_at_boundary(here, speech)
        else:
            silence = 0 if speech is None else self._tape.position - speech.voiced_end
            last = self._doubt.is_due(here, speech, silence)
        tries = not self._at_boundary and speech is None
        if not last and not (tries and self._doubt.is_worth_a_try(here)):
            return None
        if last:
            self._doubt.settle()
        doubtful = speech is not None or self._doubt.any
        return Unheard(self._samples(self._tape.start, self._tape.position), last, doubtful)

    def hear_again(self, probabilities: Sequence[float], by_witness: bool = False) -> None:
        """Takes the probability of speech in each frame of what was unheard.

        Args:
            probabilities: Of all frames since the checkpoint; nothing if nobody speaks in them.
            by_witness: Whether the voice detector alone would not have called it speech.
        """
        self._doubt.note_heard(self._tape.heard)
        if not probabilities:
            return
        self._doubt.settle()
        if self._speech is not None and not self._speech.holds_word(self._rules):
            self._speech = None
        until = self._tape.position if self._speech is None else self._speech.onset
        earlier = probabilities[: (until - self._tape.start) // FRAME_SAMPLES]
        begun = [one >= self._rules.start_probability for one in earlier]
        if any(begun):
            self._begin_earlier(begun.index(True), earlier, by_witness)

    def _begin_earlier(self, first: int, probabilities: Sequence[float], by_witness: bool) -> None:
        """Lets speech begin with a frame of the tape, and notes what was heard from there on."""
        later, self._speech = self._speech, None
        for number in range(first, len(probabilities)):
            at = self._tape.start + number * FRAME_SAMPLES
            earlier = self._hear(self._samples(at, at + FRAME_SAMPLES), probabilities[number], at)
        if later is None:
            earlier.by_witness = by_witness
        else:
            earlier.go_on_with(later)

    def boundary(self) -> Cut | None:
        """Returns the cut of the pause or the control entry that is next in line, if one is."""
        self._at_boundary = False
        if self._speech is not None and self._is_too_long(self._speech):
            return self._cut_long(self._speech)
        if self._tape.meets_pause:
            return self._cut_at_pause()
        entry = self._tape.boundary()
        return None if entry is None else self._cut_at(entry)

    def _cut_at(self, entry: Entry) -> Cut:
        now, speech = self._tape.end, self._speech
        if entry.is_clear:
            return Cut(None, self._start_afresh(now, consumed=entry.seq))
        ended = entry.kind is EntryKind.END
        reason = Reason.END if ended else entry.reason
        segment: Segment | None = None
        cut_off = False
        if speech is not None:
            # The last word of a recording may be trimmed to its length: it is whole.
            cut_off = not ended and now - speech.voiced_end < 2 * FRAME_SAMPLES
            if speech.holds_word(self._rules, cut_off=cut_off):
                end = min(now, speech.voiced_end + self._post_roll)
                segment = self._spoken(speech, end, reason)
        speaking = cut_off and segment is not None
        if segment is None and not ended:
            segment = Segment(now, b"", reason, accepted_ms=entry.accepted_ms)
        checkpoint = self._start_afresh(now, consumed=entry.seq, speaking=speaking)
        return Cut(segment, checkpoint, ended=ended)

    def open_segment(self) -> Segment | None:
        """Returns the speech since the last cut, once it is more than a noise or music."""
        speech = self._speech
        if speech is None or speech.is_noise(self._rules):
            return None
        speech.shown = speech.shown or self._is_sure_to_be_spoken(speech)
        if not speech.shown:
            return None
        # No cut for length comes before this, however the speech goes on.
        frames = (self._longest - (speech.onset - speech.first)) // FRAME_SAMPLES
        pause = earliest(speech.heard[:frames], frames - self._window_frames)
        segment = self._segment(speech, self._tape.position, Reason.LENGTH)
        silence = min(self._post_roll, self._pause // 2)
        least_end = min(segment.end, speech.voiced_end + silence)
        kept = speech.onset + FRAME_SAMPLES * pause
        return replace(segment, kept=kept, least_end=least_end)

    def speech_start(self) -> int | None:
        """Returns where the open segment starts, once it is more than a noise; it may be music."""
        speech = self._speech
        return None if speech is None or speech.is_noise(self._rules) else speech.first

    def _hear(self, frame: Frame, probability: float, at: int) -> Utterance:
        """Notes a frame of what may be speech, which begins at a sample; returns all of it."""
        if self._speech is None:
            self._speech = Utterance(at, self._reach_back(at, float(frame.var())))
        self._speech.add(frame, probability, self._rules)
        return self._speech

    def _speech_that_pauses(self) -> Utterance | None:
        """Returns the speech that silence ends at a pause of the client."""
        speech = self._speech
        if speech is None or not self._rules.ends_in_silence:
            return None
        silent = self._tape.position - speech.voiced_end >= self._pause
        return speech if silent and speech.holds_word(self._rules) else None

    def _cut_at_pause(self) -> Cut:
        speech = self._speech_that_pauses()
        if speech is None:
            raise RuntimeError("no speech ends at this pause")
        # Speech may go on behind the pause at once: the rest of the silence is its pre-roll.
        half = (self._tape.position - speech.voiced_end) // 2
        end = speech.voiced_end + min(self._post_roll, half)
        return Cut(self._spoken(speech, end, Reason.IDLE), self._start_afresh(end))

    def _is_too_long(self, speech: Utterance) -> bool:
        too_long = self._tape.position - speech.first > self._longest
        return too_long and not speech.is_noise(self._rules)

    def _pass_silence(self, now: int) -> Cut | None:
        passed = now - self._tape.start >= self._longest_silence
        return Cut(None, self._start_afresh(now - self._pre_roll)) if passed else None

    def _end_speech(self, speech: Utterance) -> Cut | None:
        if speech.is_noise(self._rules):
            self._doubt.note(speech.voiced_end - self._tape.start)
            self._speech = None
            return None
        end = speech.voiced_end + self._post_roll
        return Cut(self._spoken(speech, end, Reason.ENDPOINT), self._start_afresh(end))

    def _cut_long(self, speech: Utterance) -> Cut:
        if speech.is_noise(self._rules):
            return Cut(None, self._start_afresh(self._tape.position - self._pre_roll))
        # Heard again, speech may have begun so much earlier that it is too long already.
        frames = (self._longest - (speech.onset - speech.first)) // FRAME_SAMPLES
        heard = speech.heard[: max(2, frames)]
        pause = quietest(heard, max(1, len(heard) - self._window_frames))
        first = speech.onset + pause.first * FRAME_SAMPLES
        middle = speech.onset + (pause.first + pause.last) * FRAME_SAMPLES // 2
        end = min(middle, first + max(self._post_roll, FRAME_SAMPLES))
        segment = self._spoken(speech, end, Reason.LENGTH)
        return Cut(segment, self._start_afresh(end, speaking=True))

    def _reach_back(self, onset: int, power: float) -> int:
        """Returns where the segment starts whose first frame of speech has this power."""
        # The detector notices some words late: what is nearly as loud before them belongs to it.
        first = max(self._tape.start, onset - self._pre_roll)
        farthest = max(self._tape.start, onset - self._reach) + FRAME_SAMPLES
        while first >= farthest:
            if self._samples(first - FRAME_SAMPLES, first).var() <= power * self._rules.loud_share:
                break
            first -= FRAME_SAMPLES
        return first

    def _is_sure_to_be_spoken(self, speech: Utterance) -> bool:
        now = self._tape.position
        told = now - speech.first >= _TOLD_SAMPLES
        return told and self._spoken(speech, now, Reason.LENGTH) is not None

    def _spoken(self, speech: Utterance, end: int, reason: Reason) -> Segment | None:
        """Returns the segment that ends there; ``None`` if it is music."""
        segment = self._segment(speech, end, reason)
        samples = self._samples(speech.first, end)
        return None if is_music(samples, likely=speech.by_witness) else segment

    def _samples(self, start: int, end: int) -> Frame:
        return np.frombuffer(self._tape.pcm(start, end), dtype="<i2")

    def _segment(self, speech: Utterance, end: int, reason: Reason) -> Segment:
        return Segment(
            start=speech.first,
            pcm=self._tape.pcm(speech.first, end),
            reason=reason,
            accepted_ms=self._tape.accepted_ms(end),
            language=self._hints.language,
            keyterms=self._hints.keyterms,
            lead=speech.onset - speech.first,
        )

    def _start_afresh(
        self, sample: int, consumed: int | None = None, *, speaking: bool = False
    ) -> Checkpoint:
        self._doubt.forget()
        # Where speech goes on, a cold detector would miss its start.
        self._speech = Utterance.going_on(sample) if speaking else None
        return self._tape.rewind(sample, consumed, speaking=speaking)
