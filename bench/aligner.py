"""An aligner that knows nothing of our engines: hidden Markov models of PocketSphinx.

It is told which words are said and finds when. Its dictionary has the pronunciation of most
English words; those that it lacks are left out, and with them the words beside them, whose
boundaries it then finds in the wrong place.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from wer import spoken_words

try:
    import pocketsphinx
except ImportError:
    sys.exit("The package pocketsphinx is missing: run the bench by make, which installs it.")

_FRAMES_A_SECOND: Final = 100


class Span(NamedTuple):
    """Seconds from the start of the audio."""

    start: float
    end: float


class Aligner:
    """Finds words in audio."""

    def __init__(self) -> None:
        self._decoder: Any = pocketsphinx.Decoder(lm=None, loglevel="FATAL", bestpath=False)

    def align(self, pcm: bytes, words: Sequence[str]) -> list[Span | None]:
        """Returns when each word is said, or ``None`` for those that it can not tell.

        Args:
            pcm: Mono s16le at 16 kHz.
            words: As they are written; figures are spelt.
        """
        spelt = [self._known(word) for word in words]
        found = self._found(pcm, [part for parts in spelt for part in parts or ()])
        if found is None:
            return [None] * len(words)
        spans: list[Span | None] = []
        at = 0
        for parts in spelt:
            last = at + len(parts or ())
            spans.append(Span(found[at].start, found[last - 1].end) if parts else None)
            at = last
        lost = [span is None for span in spans]
        beside = zip([False, *lost], lost, [*lost[1:], False], strict=False)
        return [None if any(three) else span for span, three in zip(spans, beside, strict=True)]

    def _known(self, word: str) -> list[str] | None:
        """Returns how a word is read aloud; ``None`` if a part of it is not in the dictionary."""
        parts = [part for part in spoken_words(word) if part]
        known = all(self._decoder.lookup_word(part) for part in parts)
        return parts if parts and known else None

    def _found(self, pcm: bytes, words: Sequence[str]) -> list[Span] | None:
        """Returns when the words are said; ``None`` if they do not fit the audio."""
        if not words:
            return None
        try:
            self._decoder.set_align_text(" ".join(words))
            self._decoder.start_utt()
            self._decoder.process_raw(pcm, full_utt=True)
            self._decoder.end_utt()
        except RuntimeError:
            return None
        parts = [part for part in self._decoder.seg() or () if part.word[0] not in "<["]
        # A word with several pronunciations is told with the number of the one that was heard.
        if [re.sub(r"\(\d+\)$", "", part.word) for part in parts] != [*words]:
            return None
        return [
            Span(part.start_frame / _FRAMES_A_SECOND, (part.end_frame + 1) / _FRAMES_A_SECOND)
            for part in parts
        ]
