"""Follows a recording as a transcriber does: which audio is asked about, for interims and finals.

Pure: the entries come as fast as they are taken, and everything hangs on the audio's clock alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from scripta_common.wire import SAMPLE_RATE, Entry
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.segmenter.base import Segmenter


class Asked(NamedTuple):
    """Audio that a transcriber asks its engine about.

    Attributes:
        place: Which of the entries it was that brought the last of it, from 0.
        segment: The audio; ``None`` where a cut leaves no segment.
        final: Whether it is cut, and not still open.
    """

    place: int
    segment: Segment | None
    final: bool


def follow(segmenter: Segmenter, entries: Iterable[Entry], interval: float) -> Iterator[Asked]:
    """Yields what is asked of an engine that answers at once.

    Args:
        segmenter: A fresh one.
        entries: A session's log.
        interval: Seconds of new audio that make another interim worth it.
    """
    told = 0
    for place, entry in enumerate(entries):
        for cut in segmenter.feed(entry):
            yield Asked(place, cut.segment, final=True)
        segment = segmenter.open_segment()
        new = segment.end - max(told, segment.start) if segment is not None else 0
        if segment is not None and new >= interval * SAMPLE_RATE:
            told = segment.end
            yield Asked(place, segment, final=False)
