"""The state machine alone, with loudness in place of a voice detector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripta_common.wire import BYTES_PER_SAMPLE, Checkpoint, Entry, EntryKind, Reason
from scripta_transcriber.segmenter import cutter as cutter_module
from scripta_transcriber.segmenter.base import Cut
from scripta_transcriber.segmenter.cutter import SpeechCutter
from scripta_transcriber.segmenter.rules import Rules
from scripta_transcriber.segmenter.vad import FRAME_SAMPLES, Frame

pytestmark = pytest.mark.unit

RULES = Rules(
    endpoint_silence=0.3,
    pre_roll=0.1,
    post_roll=0.1,
    sure_probability=0.5,
    least_speech=0.03,
    least_word=0.03,
    least_fragment=0.03,
    pause_silence=0.06,
    longest_segment=2.0,
    search_window=1.0,
    longest_silence=1.5,
)
LOUD = 1.0
START = Checkpoint()
LogOf = Callable[..., list[Entry]]


@pytest.fixture(scope="module", autouse=True)
def no_music() -> Iterator[None]:
    """A level in place of speech holds its pitch, as music does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutter_module, "is_music", lambda samples, likely: False)
        yield


class Loudness:
    """Takes a frame's mean level for its probability of speech.

    With a memory, a frame's answer also depends on all frames since the last reset, as a real
    detector's does.
    """

    def __init__(self, memory: float = 0.0) -> None:
        self._memory = memory
        self._last = 0.0

    def reset(self) -> None:
        self._last = 0.0

    def again(self, samples: Frame) -> list[float]:
        """Returns what a louder detector hears in whole frames; nothing where all is quiet."""
        frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES]
        levels = np.abs(frames.astype(np.float64)).reshape(-1, FRAME_SAMPLES).mean(axis=1) / 32767
        louder = np.minimum(1.0, 1.2 * levels)
        return [float(one) for one in louder] if louder.size and louder.max() >= 0.7 else []

    def probability(self, frame: Frame) -> float:
        level = float(np.abs(frame.astype(np.float64)).mean()) / 32767
        self._last = self._memory * self._last + (1 - self._memory) * level
        return self._last


def drive(
    entries: list[Entry],
    checkpoint: Checkpoint = START,
    rules: Rules = RULES,
    memory: float = 0.0,
) -> list[Cut]:
    return [cut for _, cuts in trace(entries, checkpoint, rules, memory) for cut in cuts]


def trace(
    entries: list[Entry], checkpoint: Checkpoint, rules: Rules, memory: float
) -> list[tuple[Entry, list[Cut]]]:
    cutter, voice = SpeechCutter(checkpoint, rules), Loudness(memory)
    steps = []
    for entry in entries:
        cutter.push(entry)
        steps.append((entry, run(cutter, voice)))
    return steps


def run(cutter: SpeechCutter, voice: Loudness) -> list[Cut]:
    """Drives a cutter until it wants more entries."""
    cuts = []

    def hear_again() -> None:
        if (unheard := cutter.unheard()) is not None:
            cutter.hear_again(voice.again(unheard.samples))

    while True:
        hear_again()
        frame = cutter.next_frame()
        if frame is None:
            hear_again()
            cut = cutter.boundary()
            if cut is None:
                return cuts
        else:
            cut = cutter.score(voice.probability(frame))
        if cut is not None:
            voice.reset()
            cuts.append(cut)


def pcm_of(*stretches: tuple[int, float]) -> bytes:
    """Audio of so many samples at such a level each."""
    levels = np.concatenate(
        [np.zeros(0), *(np.full(samples, level) for samples, level in stretches)]
    )
    return np.round(levels * 32767).astype("<i2").tobytes()


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


@thorough
@given(sessions, chunkings, chunkings, memories)
def test_cuts_do_not_depend_on_how_the_audio_is_chunked(log_of, session, one, other, memory):
    """A network that splits messages differently must not change the words."""
    first = drive(
        log_of(session.pcm, one, session.finalize_at, pause_at=session.pause_at), memory=memory
    )
    second = drive(
        log_of(session.pcm, other, session.finalize_at, pause_at=session.pause_at), memory=memory
    )
    assert outline(first) == outline(second)


@thorough
@given(sessions, chunkings, memories)
def test_replay_from_any_checkpoint_yields_the_remaining_cuts(log_of, session, chunks, memory):
    """After a crash the next transcriber must cut where the dead one would have."""
    entries = log_of(session.pcm, chunks, session.finalize_at, pause_at=session.pause_at)
    cuts = drive(entries, memory=memory)
    for done, cut in enumerate(cuts[:-1], start=1):
        rest = [entry for entry in entries if entry.seq > cut.checkpoint.seq]
        assert drive(rest, cut.checkpoint, memory=memory) == cuts[done:]


@thorough
@given(sessions, chunkings)
def test_entries_pushed_together_are_cut_as_one_by_one(log_of, session, chunks):
    """A transcriber that catches up reads many entries at once."""
    entries = log_of(session.pcm, chunks, session.finalize_at, pause_at=session.pause_at)
    cutter, voice = SpeechCutter(START, RULES), Loudness()
    for entry in entries:
        cutter.push(entry)
    assert run(cutter, voice) == drive(entries)


@thorough
@given(sessions, chunkings, memories)
def test_segments_are_apart_in_order_and_their_own_audio(log_of, session, chunks, memory):
    cuts = drive(
        log_of(session.pcm, chunks, session.finalize_at, pause_at=session.pause_at), memory=memory
    )
    at = 0
    for cut in cuts:
        if cut.segment is not None:
            assert at <= cut.segment.start
            assert cut.segment.end <= cut.checkpoint.sample
            start, end = cut.segment.start * BYTES_PER_SAMPLE, cut.segment.end * BYTES_PER_SAMPLE
            assert cut.segment.pcm == session.pcm[start:end]
            assert cut.segment.seconds <= RULES.longest_segment
        assert at <= cut.checkpoint.sample
        at = cut.checkpoint.sample


@thorough
@given(sessions, chunkings)
def test_cut_for_length_leaves_what_an_interim_was_told_is_kept(log_of, session, chunks):
    """Words that were called stable went over to the next segment."""
    cutter, voice, kept = SpeechCutter(START, RULES), Loudness(), dict[int, int]()
    for entry in log_of(session.pcm, chunks, session.finalize_at, pause_at=session.pause_at):
        cutter.push(entry)
        for cut in run(cutter, voice):
            if cut.segment and cut.segment.reason is Reason.LENGTH:
                assert cut.segment.end >= kept.get(cut.segment.start, 0)
        if segment := cutter.open_segment():
            assert segment.kept is not None
            assert segment.kept >= kept.get(segment.start, 0)
            kept[segment.start] = segment.kept


@thorough
@given(sessions, chunkings)
def test_no_silence_and_no_boundary_ends_a_segment_before_its_least_end(log_of, session, chunks):
    """A streaming decoder that had heard more would have to hear the whole segment again."""
    cutter, voice, least = SpeechCutter(START, RULES), Loudness(), dict[int, int]()
    for entry in log_of(session.pcm, chunks, session.finalize_at, pause_at=session.pause_at):
        cutter.push(entry)
        for cut in run(cutter, voice):
            if cut.segment and cut.segment.pcm and cut.segment.reason is not Reason.LENGTH:
                assert cut.segment.end >= least.get(cut.segment.start, 0)
        if segment := cutter.open_segment():
            assert segment.least_end is not None
            assert segment.start < segment.least_end <= segment.end
            least[segment.start] = max(segment.least_end, least.get(segment.start, 0))


@thorough
@given(sessions, chunkings)
def test_no_frame_of_loud_speech_is_left_out(log_of, session, chunks):
    cuts = drive(log_of(session.pcm, chunks, session.finalize_at, pause_at=session.pause_at))
    left = np.frombuffer(session.pcm, dtype="<i2") == 32767
    for cut in cuts:
        if cut.segment is not None:
            left[cut.segment.start : cut.segment.end] = False
    longest = run = 0
    for loud in left:
        run = run + 1 if loud else 0
        longest = max(longest, run)
    # Less than a frame has no score before a boundary, nor has what a cut leaves of one.
    assert longest < 2 * FRAME_SAMPLES


@thorough
@given(sessions, chunkings, memories)
def test_checkpoints_grow_and_name_the_last_entry_consumed_entirely(
    log_of, session, chunks, memory
):
    entries = log_of(session.pcm, chunks, session.finalize_at, pause_at=session.pause_at)
    checkpoints = [Checkpoint(), *(cut.checkpoint for cut in drive(entries, memory=memory))]
    for before, after in pairwise(checkpoints):
        assert (before.sample, before.seq) < (after.sample, after.seq)
        assert before.seq <= after.seq
    for checkpoint in checkpoints[1:]:
        kept = [entry for entry in entries if entry.seq > checkpoint.seq]
        consumed = entries[: len(entries) - len(kept)]
        assert all(entry.end_sample <= checkpoint.sample for entry in consumed)
        if kept and kept[0].pcm:
            assert kept[0].end_sample > checkpoint.sample


@thorough
@given(sessions, chunkings, memories)
def test_audio_past_the_checkpoint_is_bounded(log_of, session, chunks, memory):
    """Neither the log nor the segmenter's memory may grow with the session."""
    bound = RULES.longest_silence + RULES.longest_segment + RULES.endpoint_silence
    checkpoint = 0
    for entry, cuts in trace(
        log_of(session.pcm, chunks, session.finalize_at, pause_at=session.pause_at),
        Checkpoint(),
        RULES,
        memory,
    ):
        checkpoint = cuts[-1].checkpoint.sample if cuts else checkpoint
        assert entry.end_sample - checkpoint <= bound * 16_000


@thorough
@given(sessions, chunkings)
def test_every_finalize_yields_one_segment_and_the_end_ends(log_of, session, chunks):
    entries = log_of(session.pcm, chunks, session.finalize_at, pause_at=session.pause_at)
    asked = {entry.seq: entry for entry in entries if entry.kind is EntryKind.FINALIZE}
    cuts = drive(entries)
    answers = [cut for cut in cuts if cut.segment and cut.segment.reason is Reason.FINALIZE]
    assert [(cut.checkpoint.sample, cut.checkpoint.seq) for cut in answers] == [
        (entry.first_sample, seq) for seq, entry in asked.items()
    ]
    assert [cut.ended for cut in cuts] == [False] * (len(cuts) - 1) + [True]
    assert cuts[-1].checkpoint == Checkpoint(len(session.pcm) // BYTES_PER_SAMPLE, len(entries))


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
