"""The state machine alone, with loudness in place of a voice detector."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from cut_sessions import outline
from loudness import LOUD, RULES, LogOf, Loudness, drive, pcm_of

from scripta_common.wire import Checkpoint, Entry, EntryKind, Reason
from scripta_transcriber.segmenter.cutter import SpeechCutter
from scripta_transcriber.segmenter.rules import Rules
from scripta_transcriber.segmenter.vad import FRAME_SAMPLES

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("no_music")]


def test_silence_ends_a_segment_with_room_before_and_after(log_of: LogOf):
    pcm = pcm_of((16_000, 0.0), (8_192, LOUD), (16_000, 0.0), (8_192, LOUD), (16_000, 0.0))
    segments = [cut.segment for cut in drive(log_of(pcm)) if cut.segment]
    assert [segment.reason for segment in segments] == [Reason.ENDPOINT, Reason.ENDPOINT]
    first, second = segments
    assert abs(first.start - 14_400) <= FRAME_SAMPLES
    assert abs(first.end - 25_792) <= FRAME_SAMPLES
    assert abs(second.start - 38_592) <= FRAME_SAMPLES


def test_entry_that_ends_at_the_checkpoint_is_consumed(log_of: LogOf):
    """Kept, it would be read and dropped again by every replay, and the log would hold it."""
    cuts = drive(log_of(pcm_of((8_000, 0.0), (8_000, LOUD), (30_000, 0.0)), chunks=[1]))
    assert len(cuts) == 3
    assert [c.checkpoint.seq for c in cuts[:-1]] == [c.checkpoint.sample for c in cuts[:-1]]


def test_silence_moves_the_checkpoint_without_a_segment(log_of: LogOf):
    """Otherwise the log of a listener who says nothing grows without bound."""
    cuts = drive(log_of(pcm_of((160_000, 0.0))))
    assert [cut.segment for cut in cuts] == [None] * len(cuts)
    steps = [b.checkpoint.sample - a.checkpoint.sample for a, b in pairwise(cuts)]
    assert max(steps) <= RULES.longest_silence * 16_000


def test_speech_goes_on_behind_a_boundary_that_cuts_it_off(log_of: LogOf):
    entries = log_of(pcm_of((40_000, LOUD), (16_000, 0.0)), finalize_at=[20_000])
    first, second, *_ = [cut for cut in drive(entries, memory=0.9) if cut.segment]
    assert first.checkpoint == Checkpoint(20_000, first.checkpoint.seq, speaking=True)
    assert second.segment.start == 20_000


def test_nothing_is_said_behind_a_boundary_that_silence_follows(log_of: LogOf):
    """Whoever lets go of the key has said all: the rest of the breath is no word."""
    entries = log_of(pcm_of((20_000, LOUD), (60_000, 0.0)), finalize_at=[20_000])
    first, *rest = drive(entries)
    assert first.checkpoint.speaking
    assert rest
    assert all(cut.segment is None and not cut.checkpoint.speaking for cut in rest)


def test_noise_shorter_than_speech_is_passed_over_at_an_endpoint(log_of: LogOf):
    rules = Rules(least_speech=0.16)
    pcm = pcm_of((16_000, 0.0), (3 * FRAME_SAMPLES, LOUD), (32_000, 0.0))
    assert all(cut.segment is None for cut in drive(log_of(pcm), rules=rules))


def test_murmur_that_is_never_sure_to_be_speech_yields_no_words(log_of: LogOf):
    """An engine asked about a hum or a fan makes up a word."""
    pcm = pcm_of((16_000, 0.0), (16_000, 0.55), (16_000, 0.0), (90_000, 0.55), (16_000, 0.0))
    rules = replace(RULES, sure_probability=0.6)
    cuts = drive(log_of(pcm, finalize_at=[24_000]), rules=rules)
    assert [cut.segment.pcm for cut in cuts if cut.segment] == [b""]


@pytest.mark.parametrize(("frames", "quiet_frames"), [(7, 0), (7, 1), (5, 2), (5, 8)])
def test_short_word_is_kept_when_a_boundary_is_asked_for(
    log_of: LogOf, frames: int, quiet_frames: int
):
    """Someone who says "no" and lets go of the button must not be met with silence."""
    spoken = (frames * FRAME_SAMPLES, LOUD)
    pcm = pcm_of((16_000, 0.0), spoken, (quiet_frames * FRAME_SAMPLES, 0.0))
    cut = drive(log_of(pcm, finalize_at=[len(pcm) // 2], ended=False), rules=Rules())[-1]
    assert cut.segment is not None
    assert cut.segment.pcm


@pytest.mark.parametrize(("frames", "quiet_frames"), [(1, 0), (3, 0), (6, 0), (6, 1), (4, 8)])
def test_fragment_of_a_word_is_not_guessed_at(log_of: LogOf, frames: int, quiet_frames: int):
    """A tap on a push-to-talk key became "You": an engine always finds some word."""
    spoken = (frames * FRAME_SAMPLES, LOUD)
    pcm = pcm_of((16_384, 0.0), spoken, (quiet_frames * FRAME_SAMPLES, 0.0))
    cut = drive(log_of(pcm, finalize_at=[len(pcm) // 2], ended=False), rules=Rules())[-1]
    assert cut.segment is not None
    assert cut.segment.pcm == b""


def test_word_at_the_very_end_of_a_recording_is_kept(log_of: LogOf):
    cuts = drive(log_of(pcm_of((16_384, 0.0), (5 * FRAME_SAMPLES, LOUD))), rules=Rules())
    assert [bool(cut.segment and cut.segment.pcm) for cut in cuts] == [True]


def test_pause_ends_speech_that_had_stopped_and_leaves_room_for_what_follows(log_of: LogOf):
    """A client that mutes itself must not wait for a boundary that never comes."""
    pcm = pcm_of((8_000, 0.0), (16_000, LOUD), (4_000, 0.0), (8_000, LOUD), (8_000, 0.0))
    first = next(cut for cut in drive(log_of(pcm, pause_at=[28_000]), rules=Rules()) if cut.segment)
    assert first.segment is not None
    assert first.segment.reason is Reason.IDLE
    assert 24_000 < first.segment.end == first.checkpoint.sample
    assert 28_000 - first.segment.end > 1_600


@pytest.mark.parametrize("silence", [0, 2_000])
def test_pause_in_mid_speech_changes_nothing(log_of: LogOf, silence: int):
    """A message that is late is no reason to cut a word."""
    pcm = pcm_of((8_000, 0.0), (16_000, LOUD), (silence, 0.0), (16_000, LOUD), (16_000, 0.0))
    pauses = [4_000, 20_000, 24_000 + silence, 24_000 + silence]
    with_pauses = drive(log_of(pcm, pause_at=pauses), rules=Rules())
    assert outline(with_pauses) == outline(drive(log_of(pcm), rules=Rules()))


def test_finalize_in_silence_yields_an_empty_segment(log_of: LogOf):
    cuts = drive(log_of(pcm_of((8_000, 0.0)), finalize_at=[8_000], ended=False))
    assert [(c.segment and (c.segment.start, c.segment.pcm), c.checkpoint) for c in cuts] == [
        ((8_000, b""), Checkpoint(8_000, 6))
    ]


def test_idle_flush_keeps_its_reason():
    cutter = SpeechCutter(Checkpoint(), RULES)
    cutter.push(Entry(1, EntryKind.FINALIZE, 0, reason=Reason.IDLE, accepted_ms=7))
    assert cutter.next_frame() is None
    cut = cutter.boundary()
    assert cut is not None
    assert cut.segment is not None
    assert (cut.segment.reason, cut.segment.accepted_ms) == (Reason.IDLE, 7)


def test_open_segment_is_what_was_said_so_far(log_of: LogOf):
    pcm = pcm_of((8_000, 0.0), (8_000, LOUD))
    cutter, voice = SpeechCutter(Checkpoint(), RULES), Loudness()
    assert cutter.open_segment() is None
    for entry in log_of(pcm, ended=False):
        cutter.push(entry)
        while (frame := cutter.next_frame()) is not None:
            assert cutter.score(voice.probability(frame)) is None
    segment = cutter.open_segment()
    assert segment is not None
    assert abs(segment.start - 6_400) <= FRAME_SAMPLES
    assert 16_000 - segment.end < FRAME_SAMPLES


def test_cutter_tells_when_its_audio_was_accepted(log_of: LogOf):
    pcm = pcm_of((16_000, LOUD), (16_000, 0.0))
    cut = next(cut for cut in drive(log_of(pcm, [8_000])) if cut.segment)
    assert cut.segment is not None
    assert 16_000 < cut.segment.end <= 24_000
    assert cut.segment.accepted_ms == 1003


def test_gap_in_the_log_is_refused():
    cutter = SpeechCutter(Checkpoint(), RULES)
    cutter.push(Entry(1, EntryKind.AUDIO, 600, bytes(2_000)))
    with pytest.raises(ValueError, match="starts at sample 600"):
        cutter.next_frame()


def test_frame_without_an_answer_is_not_followed_by_another():
    cutter = SpeechCutter(Checkpoint(), RULES)
    cutter.push(Entry(1, EntryKind.AUDIO, 0, bytes(4_000)))
    assert cutter.next_frame() is not None
    with pytest.raises(RuntimeError, match="no score yet"):
        cutter.next_frame()


@pytest.mark.parametrize(
    "wrong",
    [
        {"start_probability": 0.2, "keep_probability": 0.3},
        {"endpoint_silence": 0.0},
        {"longest_silence": 0.2, "pre_roll": 0.3},
        {"search_window": 15.0, "longest_segment": 15.0},
    ],
)
def test_rules_that_cannot_hold_are_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match="must be"):
        Rules(**wrong)


def test_longest_segment_without_room_for_its_pre_roll_is_refused():
    with pytest.raises(ValueError, match="search_window must be shorter"):
        Rules().with_longest_segment(0.4)


def test_segment_reaches_back_to_what_is_as_loud_as_its_first_frame_of_speech(log_of: LogOf):
    """A detector that notices a sentence late leaves its first words in no segment."""
    noise = np.random.default_rng(2).normal(0, 1, 40_000)
    levels = np.repeat([30.0, 900.0, 3_000.0, 0.0], 10_000)
    pcm = np.round(noise * levels).astype("<i2").tobytes()
    rules = Rules(start_probability=0.05, keep_probability=0.05, sure_probability=0.05)
    first = next(cut.segment for cut in drive(log_of(pcm), rules=rules) if cut.segment)
    assert abs(first.start - 10_000) <= FRAME_SAMPLES
