"""What holds of the cutter's segments and checkpoints, whatever is said and however it comes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from cut_sessions import chunkings, memories, outline, sessions, thorough
from hypothesis import given
from loudness import RULES, START, Loudness, drive, run, trace

from scripta_common.wire import BYTES_PER_SAMPLE, Checkpoint, EntryKind, Reason
from scripta_transcriber.segmenter.cutter import SpeechCutter
from scripta_transcriber.segmenter.vad import FRAME_SAMPLES

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("no_music")]


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
