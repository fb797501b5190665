"""What a transcription has decided of its session and not yet committed: pure.

Turns the segmenter's cuts and what the engine heard into numbered results and the checkpoint
they reach. Always true: results are numbered without a gap behind the last committed one; the
checkpoint is that of the last cut whose result is among them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scripta_common.sessionlog import Claim
from scripta_common.wire import (
    SAMPLE_RATE,
    Checkpoint,
    Ended,
    Failed,
    Final,
    Origin,
    Reason,
    Recorded,
)
from scripta_transcriber.engines.base import Segment, Transcript
from scripta_transcriber.segmenter.base import Cut
from scripta_transcriber.word_times import estimate_words


@dataclass(frozen=True, slots=True)
class Commit:
    """What is to be recorded in one step.

    Attributes:
        checkpoint: The session's checkpoint then.
        after: Index of the last result before these.
        results: Results with the indexes that follow.
        origins: What is known of each; not recorded.
    """

    checkpoint: Checkpoint
    after: int
    results: tuple[Recorded, ...]
    origins: tuple[Origin | None, ...] = ()

    @property
    def over(self) -> bool:
        """Whether the session is over then."""
        return bool(self.results) and isinstance(self.results[-1], Ended | Failed)

    @property
    def finals(self) -> int:
        """Finals of the session then: all results but the last of one that is over."""
        return self.after + len(self.results) - self.over


class Decisions:
    """The decisions of one transcription.

    Args:
        claim: Where its session stands.
        by_speech: Whether segments are stretches of speech (and not messages).
    """

    def __init__(self, claim: Claim, *, by_speech: bool) -> None:
        self._language = claim.options.language
        self._word_times = claim.options.word_times
        self._by_speech = by_speech
        self._index = claim.index
        self._checkpoint = claim.checkpoint
        self._results: list[Recorded] = []
        self._origins: list[Origin | None] = []

    def due(self, cut: Cut) -> Segment | None:
        """Returns the segment of a cut that a final is owed for, if one is."""
        # Whoever sent audio and hears of nothing is told, once, that nothing was said.
        untold = self._by_speech and not self._index and not self._results
        if cut.segment is None and cut.ended and untold:
            return Segment(cut.checkpoint.sample, b"", Reason.END)
        if cut.segment is None or self._word_times:
            return cut.segment
        return replace(cut.segment, word_times=False)

    def decide(
        self,
        cut: Cut,
        segment: Segment | None,
        heard: Transcript | None,
        origin: Origin | None = None,
    ) -> None:
        """Notes what a cut came to.

        Args:
            cut: The next cut.
            segment: What was ``due`` for it.
            heard: What the engine heard in the segment; ``None`` if there was nothing to hear.
            origin: What the final comes from.
        """
        if segment is not None:
            self._note(self._final(segment, heard), origin)
        self._checkpoint = cut.checkpoint
        if cut.ended:
            self._note(Ended(self._next_index, self._checkpoint.sample / SAMPLE_RATE))

    def fail(self, code: str, message: str) -> None:
        """Notes that the session can not go on; behind this nothing is decided."""
        self._note(Failed(self._next_index, code, message))

    @property
    def finals(self) -> int:
        """Finals that are committed, of a session that is not over."""
        return self._index

    def pending(self) -> Commit:
        """Returns what is decided and not committed."""
        return Commit(self._checkpoint, self._index, tuple(self._results), tuple(self._origins))

    def committed(self, commit: Commit) -> None:
        """Notes that what was pending is recorded."""
        if commit != self.pending():
            raise RuntimeError(f"{commit} was committed, pending is {self.pending()}")
        self._index += len(self._results)
        self._results.clear()
        self._origins.clear()

    def _note(self, result: Recorded, origin: Origin | None = None) -> None:
        self._results.append(result)
        self._origins.append(origin)

    @property
    def _next_index(self) -> int:
        return self._index + len(self._results) + 1

    def _final(self, segment: Segment, heard: Transcript | None) -> Final:
        start, end = segment.start / SAMPLE_RATE, segment.end / SAMPLE_RATE
        if heard is None:
            return Final(self._next_index, start, end, "", segment.reason)
        words = heard.words if self._word_times else ()
        estimated = self._by_speech and self._word_times and not words
        return Final(
            index=self._next_index,
            start=start,
            end=end,
            text=heard.text,
            reason=segment.reason,
            words=estimate_words(heard.text, start, end) if estimated else words,
            words_estimated=estimated,
            confidence=heard.confidence,
            language=heard.language or self._language,
        )


def is_audible(segment: Segment) -> bool:
    """Returns whether there is anything in a segment for an engine to hear."""
    return bool(segment.pcm or segment.message_bytes)
