"""Cuts a session's audio into stretches of speech, found by a voice detector.

``SpeechSegmenter`` drives a ``SpeechCutter`` with one stream of a voice detector, or has it driven:
it runs no model by itself, so that the frames of many sessions can be listened to at once.

What always holds: after every cut, the cutter and the detector stand as if they had been made at
its checkpoint. The audio past a checkpoint is then read again, so that a replay from it sees what
the live run saw.
"""

from __future__ import annotations

from collections.abc import Generator

from scripta_common.wire import Checkpoint, Entry
from scripta_transcriber.engines.base import NO_HINTS, Hints, Segment
from scripta_transcriber.segmenter.again import listen_again
from scripta_transcriber.segmenter.base import Cut
from scripta_transcriber.segmenter.cutter import SpeechCutter
from scripta_transcriber.segmenter.rules import Rules
from scripta_transcriber.segmenter.speech_watch import SpeechWatch
from scripta_transcriber.segmenter.stillness import Stillness
from scripta_transcriber.segmenter.vad import Turn, VoiceStream

Listening = Generator[Turn, float, list[Cut]]
"""Yields what is to be heard next, is sent the probability of speech in it, returns cuts."""


class SpeechSegmenter:
    """Cuts one session by its speech, found by a voice detector.

    Args:
        checkpoint: Where the session starts or goes on.
        voice: A fresh stream of the detector.
        rules: Where speech is cut.
        hints: What its segments carry to the engine.
        watch: Is told of speech; ``None``: nobody asks about it.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        voice: VoiceStream,
        rules: Rules,
        hints: Hints = NO_HINTS,
        watch: SpeechWatch | None = None,
    ) -> None:
        self._watch = watch
        self._voice = voice
        self._rules = rules
        self._cutter = SpeechCutter(checkpoint, rules, hints)
        self._stillness = Stillness()

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks, nor has begun to."""
        return self._cutter.quiet

    def feed(self, entry: Entry) -> list[Cut]:
        """Takes the next entry and returns the cuts that are decided by it."""
        listening = self.listen(entry)
        try:
            turn = next(listening)
            while True:
                turn = listening.send(turn.stream.probability(turn.frame))
        except StopIteration as over:
            cuts: list[Cut] = over.value
            return cuts

    def listen(self, entry: Entry) -> Listening:
        """Does the same as ``feed``, and leaves it to its driver to ask the voice detector."""
        self._cutter.push(entry)
        cuts: list[Cut] = []
        while True:
            yield from self._hear_again()
            frame = self._cutter.next_frame()
            if frame is None:
                yield from self._hear_again()
                cut = self._cutter.boundary()
                if cut is None:
                    return cuts
            elif self._stillness.covers(frame):
                self._voice.reset()
                cut = self._cutter.score(0.0)
            else:
                cut = self._cutter.score((yield Turn(self._voice, frame)))
            self._tell_watch(cut)
            if cut is not None:
                self._voice.reset()
                self._stillness.reset()
                cuts.append(cut)

    def _tell_watch(self, cut: Cut | None) -> None:
        if self._watch is None:
            return
        if cut is not None:
            self._watch.cut(cut)
            return
        cutter = self._cutter
        self._watch.look(cutter.position, cutter.speech_start(), quiet=cutter.quiet)

    def _hear_again(self) -> Generator[Turn, float, None]:
        if (unheard := self._cutter.unheard()) is not None:
            hearing = listen_again(unheard, self._voice.detector, self._rules)
            self._cutter.hear_again(*(yield from hearing))

    def open_segment(self) -> Segment | None:
        """Returns the speech since the last cut, for an interim; ``None`` in silence."""
        return self._cutter.open_segment()
