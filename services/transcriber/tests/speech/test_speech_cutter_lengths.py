"""Speech that is too long for one segment: where it is cut, and how it goes on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from cut_sessions import stretches, thorough
from hypothesis import given
from hypothesis import strategies as st
from loudness import LOUD, LogOf, drive, pcm_of

from scripta_common.wire import Reason
from scripta_transcriber.segmenter.rules import Rules
from scripta_transcriber.segmenter.vad import FRAME_SAMPLES

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("no_music")]


def test_long_speech_is_cut_in_its_longest_pause(log_of: LogOf):
    """A cut in the middle of a word costs the words on both sides."""
    pcm = pcm_of(
        (18_000, LOUD), (2_000, 0.0), (4_000, LOUD), (4_000, 0.0), (1_000, LOUD), (24_000, LOUD)
    )
    first = next(cut.segment for cut in drive(log_of(pcm)) if cut.segment)
    assert first.reason is Reason.LENGTH
    assert 24_000 < first.end < 28_000


def test_speech_goes_on_where_a_cut_for_length_ended(log_of: LogOf):
    """A detector that starts cold misses the first frames behind a cut: they were in no segment."""
    entries = log_of(pcm_of((16_000, 0.0), (90_000, LOUD), (16_000, 0.0)))
    cuts = drive(entries, memory=0.9)
    spoken = [cut for cut in cuts if cut.segment]
    assert [cut.segment.reason for cut in spoken].count(Reason.LENGTH) >= 2
    for before, after in pairwise(spoken):
        assert before.checkpoint.speaking
        assert before.segment.end == before.checkpoint.sample == after.segment.start
    assert not cuts[-1].checkpoint.speaking


def test_long_speech_without_a_pause_is_cut_where_it_is_quietest(log_of: LogOf):
    pcm = pcm_of((25_000, LOUD), (1_200, 0.6), (40_000, LOUD))
    first = next(cut.segment for cut in drive(log_of(pcm)) if cut.segment)
    assert first.reason is Reason.LENGTH
    assert 25_000 <= first.end <= 26_200


@thorough
@given(
    st.integers(2_000, 8_000),
    st.sampled_from([100, 500, 5_000]),
    st.lists(stretches, min_size=6, max_size=20).map(lambda parts: pcm_of(*parts)),
)
def test_no_segment_is_longer_than_a_session_asks_and_no_speech_is_lost(
    log_of: LogOf, longest: int, endpointing: int, pcm: bytes
):
    """What a session may ask for is checked at the gateway, each by itself: all pairs must do."""
    rules = Rules().with_longest_segment(longest / 1000).with_endpointing(endpointing)
    cuts = drive(log_of(pcm), rules=rules)
    left = np.frombuffer(pcm, dtype="<i2") == 32767
    for segment in (cut.segment for cut in cuts if cut.segment):
        assert segment.seconds <= longest / 1000
        left[segment.start : segment.end] = False
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], left, [0]]))))[::2]
    # Shorter than a word, besides what a cut leaves of a frame, is a noise.
    assert max(runs, default=0) < rules.least_word * 16_000 + 2 * FRAME_SAMPLES


def test_quietest_place_is_looked_for_in_the_second_half_of_any_longest_segment(log_of: LogOf):
    """A window as wide as of the default would reach to the beginning of a short segment."""
    pcm = pcm_of((8_000, LOUD), (3_000, 0.0), (14_000, LOUD), (1_700, 0.6), (40_000, LOUD))
    first = next(cut.segment for cut in drive(log_of(pcm), rules=Rules().with_longest_segment(2.0)))
    assert first is not None
    assert first.reason is Reason.LENGTH
    assert 25_000 <= first.end <= 26_700


def test_pause_behind_a_cut_for_length_is_met_again_as_by_a_replay(log_of: LogOf):
    """Where frames begin anew, silence before the pause may be enough that was not before."""
    reasons = set()
    for lead in range(0, FRAME_SAMPLES, 32):
        pcm = pcm_of(
            *((3_200 + lead, 0.0), (16_000, LOUD), (2_000, 0.0), (5_000, LOUD), (1_100, 0.0)),
            *((20_000, LOUD), (16_000, 0.0)),
        )
        entries = log_of(pcm, pause_at=[3_200 + lead + 24_100])
        cuts = drive(entries)
        for done, cut in enumerate(cuts[:-1], start=1):
            rest = [entry for entry in entries if entry.seq > cut.checkpoint.seq]
            assert drive(rest, cut.checkpoint) == cuts[done:]
        reasons |= {cut.segment.reason for cut in cuts[1:] if cut.segment}
    assert Reason.IDLE in reasons
