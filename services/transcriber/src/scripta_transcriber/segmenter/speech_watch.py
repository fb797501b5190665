"""Signals that speech began or ended, for sessions that ask for them: pure.

Asked about every frame, so that what is told depends on the audio alone and not on how it came.
Always true: they are told in the order of the audio; of a segment, ``STARTED`` comes before
``STOPPED``, and both before it is decoded.
"""

from __future__ import annotations

from scripta_common.sessionlog import Claim
from scripta_common.wire import SAMPLE_RATE, Speech, SpeechKind
from scripta_transcriber.segmenter.base import Cut


class SpeechWatch:
    """Watches one session.

    Args:
        index: Index of the session's last final.
        spoken: Sample at which its last segment of speech ends; 0 if nobody has spoken.
        silence_ms: Silence behind speech that is told once; ``None``: none.
    """

    def __init__(self, index: int, spoken: int, silence_ms: int | None) -> None:
        self._index = index
        self._spoken = spoken
        self._asks = silence_ms is not None
        self._silence = (silence_ms or 0) * SAMPLE_RATE // 1000
        # Whether the silence behind the last speech may still be told.
        self._waits = self._asks and bool(spoken)
        self._started = False
        self._signals: list[Speech] = []

    @classmethod
    def of(cls, claim: Claim) -> SpeechWatch | None:
        """Returns the watch of a claimed session; ``None`` if it asks for no signals."""
        options = claim.options
        if not options.speech_events and options.silence_ms is None:
            return None
        return cls(claim.index, claim.spoken, options.silence_ms)

    def look(self, position: int, start: int | None, *, quiet: bool) -> None:
        """Takes what is known behind a frame.

        Args:
            position: Sample up to which audio was heard.
            start: Where the open segment starts; ``None`` if there is none.
            quiet: Whether nobody speaks, nor may have begun to.
        """
        if start is not None and not self._started:
            self._start(start)
        elif quiet and self._started:  # nothing came of it
            self._started = False
            self._note(SpeechKind.STOPPED, position, self._index + 1)
        elif quiet and self._waits and position - self._spoken >= self._silence:
            self._waits = False
            self._note(SpeechKind.SILENT, self._spoken, self._index)

    def cut(self, cut: Cut) -> None:
        """Takes the next cut."""
        segment = cut.segment
        if segment is not None:
            if segment.pcm:
                if not self._started:
                    self._start(segment.start)
                self._note(SpeechKind.STOPPED, segment.end, self._index + 1)
                self._spoken = segment.end
                self._waits = self._asks
            self._index += 1
        elif self._started:  # it was music, or too little for a word
            self._note(SpeechKind.STOPPED, cut.checkpoint.sample, self._index + 1)
        self._started = False

    def take(self) -> list[Speech]:
        """Returns the signals since the last call."""
        signals, self._signals = self._signals, []
        return signals

    def _start(self, sample: int) -> None:
        self._started = True
        self._note(SpeechKind.STARTED, sample, self._index + 1)

    def _note(self, kind: SpeechKind, sample: int, index: int) -> None:
        self._signals.append(Speech(kind, sample / SAMPLE_RATE, index))
