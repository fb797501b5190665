"""Sessions of random speech, silence and boundaries, for the invariants of the cutter."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from loudness import LOUD, pcm_of

from scripta_transcriber.segmenter.base import Cut


@dataclass(frozen=True)
class Session:
    pcm: bytes
    finalize_at: list[int]
    pause_at: list[int]


stretches = st.tuples(
    st.integers(1, 24_000), st.sampled_from([0.0, 0.0, 0.2, 0.4, 0.6, LOUD, LOUD])
)
sessions = st.builds(
    Session,
    pcm=st.lists(stretches, max_size=14).map(lambda parts: pcm_of(*parts)),
    finalize_at=st.lists(st.integers(0, 150_000), max_size=4),
    pause_at=st.lists(st.integers(0, 150_000), max_size=8),
)
chunkings = st.lists(st.one_of(st.just(0), st.integers(100, 9_000)), min_size=1, max_size=6).filter(
    any
)
memories = st.sampled_from([0.0, 0.5])
thorough = settings(max_examples=60, deadline=None)


def outline(cuts: list[Cut]) -> list[tuple[object, ...]]:
    """Everything about cuts but how the audio was chunked."""
    return [
        (
            cut.segment and (cut.segment.start, cut.segment.pcm, cut.segment.reason),
            cut.checkpoint.sample,
            cut.ended,
        )
        for cut in cuts
    ]
