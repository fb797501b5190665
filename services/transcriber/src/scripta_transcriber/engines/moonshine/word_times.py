"""When each word of a segment was said, from where the decoder looked before it chose it. Pure.

The frames of a segment are divided among its tokens in their order, so that each token has those
that it looked at more than others did. A word begins when its first token has spent a share of its
attention. What a token looked at in a pause does not count: before it finds a word, the decoder
searches for it in the silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from scripta_common.wire import SAMPLE_RATE, Word
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.engines.moonshine.encoder_graphs import ROW_SAMPLES, STRIDES, WIDTHS
from scripta_transcriber.engines.pauses import Pause, Quiet
from scripta_transcriber.engines.tokens import Spelt

FloatArray = npt.NDArray[np.float32]

_REACH: Final = WIDTHS[0] + STRIDES[0] * (WIDTHS[1] - 1 + STRIDES[1] * (WIDTHS[2] - 1))
_SECONDS: Final = ROW_SAMPLES / SAMPLE_RATE
"""From a frame of the encoder to the next."""

_MIDDLE: Final = _REACH / 2 / SAMPLE_RATE
"""Of the audio that the first frame is made of, in seconds."""

_BEGUN: Final = 0.1
"""Share of the attention of its first token that is spent when a word begins."""

_OVER: Final = 0.95
"""Share of the attention of its last token that is spent when a word is nearly over …"""

_LONGEST_FADE: Final = 0.3
"""… and seconds that it goes on for at most."""

_SAID_THERE: Final = 0.15
"""Share of a token's attention behind a pause with which its word begins behind that, and before a
pause with which its word ends before that: what is on the other side belongs to its neighbour."""

_LEAST_HEARD: Final = 0.05
"""Share of a token's attention outside of pauses without which the pauses are no pauses to it."""


class _Attention:
    """What one token looked at, of its own frames.

    Args:
        share: Of its attention on each frame.
        loud: Whether each frame is outside of pauses.
        begin: The first of its own frames.
        end: The one behind the last.
    """

    def __init__(self, share: FloatArray, loud: FloatArray, begin: int, end: int) -> None:
        own = share[begin:end]
        heard = own * loud[begin:end]
        if heard.sum() <= _LEAST_HEARD * own.sum():
            heard = own
        self._begin = begin
        self._spent = np.cumsum(heard, dtype=np.float64)

    def at(self, share: float) -> float:
        """Returns the second at which it has spent a share."""
        wanted = share * self._spent[-1]
        frame = int(np.searchsorted(self._spent, wanted))
        before = self._spent[frame - 1] if frame else 0.0
        within = (wanted - before) / max(self._spent[frame] - before, 1e-9)
        return float(self._begin + frame + within) * _SECONDS


def timed(
    segment: Segment, words: Sequence[Spelt], share: FloatArray, focus: FloatArray
) -> tuple[Word, ...]:
    """Returns the words of a segment with their times on the session's audio clock.

    Args:
        segment: What they were said in.
        words: In their order.
        share: Of each token's attention on each frame, [tokens, frames].
        focus: How much more a token looks at a frame than others do, [tokens, frames].
    """
    quiet = Quiet.of(segment)
    loud = _loud(share.shape[1], quiet.pauses, segment.seconds)
    bounds = [*divided(focus * loud), share.shape[1]]
    tokens = [
        _Attention(row, loud, begin, end)
        for row, (begin, end) in zip(share, pairwise(bounds), strict=True)
    ]
    begun = [_start(tokens[word.first], quiet) for word in words]
    starts = np.minimum(np.maximum.accumulate(begun), segment.seconds).tolist() if words else []
    lasts = zip((tokens[word.last] for word in words), starts, strict=True)
    ends = [_end(token, start, quiet.pauses) for token, start in lasts]
    limits = [*starts[1:], segment.seconds]
    offset = segment.start / SAMPLE_RATE
    return tuple(
        Word(word.text, offset + start, offset + max(start, min(end, limit)))
        for word, start, end, limit in zip(words, starts, ends, limits, strict=True)
    )


def _start(token: _Attention, quiet: Quiet) -> float:
    latest = token.at(1 - _SAID_THERE)
    passed = (pause.end for pause in (*quiet.pauses, *quiet.lulls) if pause.end <= latest)
    return max(token.at(_BEGUN), max(passed, default=0.0))


def _end(token: _Attention, start: float, pauses: Sequence[Pause]) -> float:
    earliest = max(start, token.at(_SAID_THERE))
    end = token.at(_OVER) + _LONGEST_FADE
    return min(end, min((pause.start for pause in pauses if pause.start >= earliest), default=end))


def _loud(frames: int, pauses: Sequence[Pause], seconds: float) -> FloatArray:
    """Returns 1 for each frame whose middle is inside the segment and in no pause, else 0."""
    middles = np.arange(frames) * _SECONDS + _MIDDLE
    loud = middles < seconds
    for pause in pauses:
        loud &= (middles < pause.start) | (middles >= pause.end)
    return loud.astype(np.float32)


def divided(focus: FloatArray) -> list[int]:
    """Returns at which frame each token begins, the first one at 0.

    Of all divisions in which every token has a frame, it is the one with the largest sum of what
    each token has on its own frames.

    Args:
        focus: [tokens, frames], with no fewer frames than tokens.
    """
    sums = np.cumsum(focus, axis=1)
    # What the tokens so far have at best, if the last of them ends with that frame.
    best = sums[0]
    gains = []
    for row in sums[1:]:
        # What is won if the token begins behind that frame.
        gain = best - row
        gains.append(gain)
        best = np.full_like(row, -np.inf)
        best[1:] = np.maximum.accumulate(gain[:-1]) + row[1:]
    end, begins = focus.shape[1] - 1, []
    for gain in reversed(gains):
        end = int(gain[:end].argmax())
        begins.append(end + 1)
    return [0, *reversed(begins)]
