"""Signals of speech, clearing, and endpointing that is off: with the real detector."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from scripta_common.wire import SAMPLE_RATE, Checkpoint, Entry, EntryKind, Reason, Speech
from scripta_transcriber.engines.moonshine import MoonshineEngine
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter
from scripta_transcriber.segmenter.base import Cut
from scripta_transcriber.segmenter.speech_watch import SpeechWatch
from scripta_transcriber.segmenter.vad import VoiceDetector

pytestmark = pytest.mark.unit

LogOf = Callable[..., list[Entry]]
START = Checkpoint()
SECOND = bytes(2 * SAMPLE_RATE)


def hear(
    detector: VoiceDetector,
    entries: list[Entry],
    checkpoint: Checkpoint = START,
    watch: SpeechWatch | None = None,
    endpointing_ms: int | None = None,
) -> list[Cut]:
    options = SegmenterOptions(endpointing_ms)
    segmenter = create_segmenter(MoonshineEngine.capabilities, checkpoint, options, detector, watch)
    return [cut for entry in entries for cut in segmenter.feed(entry)]


def spoken(cuts: list[Cut]) -> list[tuple[float, float]]:
    segments = [cut.segment for cut in cuts if cut.segment is not None and cut.segment.pcm]
    return [(one.start / SAMPLE_RATE, one.end / SAMPLE_RATE) for one in segments]


@pytest.fixture(scope="module")
def phrases(beckett: bytes) -> bytes:
    """Ten seconds of speech, seven of silence, the first three seconds again, silence."""
    return beckett + 7 * SECOND + beckett[: 3 * len(SECOND)] + 3 * SECOND


def test_each_segment_is_told_with_its_own_times_and_silence_once(
    detector: VoiceDetector, phrases: bytes, log_of: LogOf
) -> None:
    watch = SpeechWatch(0, 0, silence_ms=2_000)
    cuts = hear(detector, log_of(phrases), watch=watch)
    signals = watch.take()
    segments = spoken(cuts)
    started = [one.at for one in signals if one.kind == "started"]
    stopped = [one.at for one in signals if one.kind == "stopped"]
    assert len(segments) >= 2
    assert stopped == [end for _, end in segments]
    assert len(started) == len(segments)
    for at, (start, end) in zip(started, segments, strict=True):
        assert start <= at < end
    silent = [(one.at, one.index) for one in signals if one.kind == "silent"]
    before = max(place for place, (_, end) in enumerate(segments) if end < 12)
    assert silent == [(segments[before][1], before + 1), (segments[-1][1], len(segments))]


@pytest.mark.parametrize("chunk", [160, 1_600, 16_000])
def test_signals_do_not_depend_on_chunks(
    detector: VoiceDetector, phrases: bytes, log_of: LogOf, chunk: int
) -> None:
    """Told at the end of a portion, silence that speech follows at once would be passed over."""
    watch, other = SpeechWatch(0, 0, silence_ms=2_000), SpeechWatch(0, 0, silence_ms=2_000)
    hear(detector, log_of(phrases), watch=watch)
    hear(detector, log_of(phrases, [chunk]), watch=other)
    assert watch.take() == other.take()


def test_takeover_at_any_checkpoint_tells_the_rest_and_nothing_else(
    detector: VoiceDetector, phrases: bytes, log_of: LogOf
) -> None:
    """Silence of six seconds, over a checkpoint that silence itself has moved."""
    entries = log_of(phrases)
    watch = SpeechWatch(0, 0, silence_ms=6_000)
    cuts = hear(detector, entries, watch=watch)
    whole = watch.take()
    assert [one.kind for one in whole].count("silent") == 1
    index, until = 0, 0
    for cut in cuts[:-1]:
        if cut.segment is not None:
            index += 1
            until = cut.segment.end if cut.segment.pcm else until
        rest = [entry for entry in entries if entry.seq > cut.checkpoint.seq]
        again = SpeechWatch(index, until, silence_ms=6_000)
        hear(detector, rest, cut.checkpoint, again)
        told = again.take()
        assert [one for one in told if one.kind != "silent"] == [
            one for one in whole if one.kind != "silent" and one.index > index
        ]
        silent = [one for one in whole if one.kind == "silent"]
        # What was told before may be told again: the gateway drops it.
        assert [one for one in told if one.kind == "silent"] in (silent, [])
        if silent[0].index >= index and until <= silent[0].at * SAMPLE_RATE:
            assert silent[0] in told


def test_noise_and_silence_are_not_told(detector: VoiceDetector, log_of: LogOf) -> None:
    noise = np.random.default_rng(3).normal(0, 1_500, 10 * SAMPLE_RATE).astype("<i2").tobytes()
    watch = SpeechWatch(0, 0, silence_ms=1_000)
    hear(detector, log_of(noise + 5 * SECOND), watch=watch)
    assert watch.take() == list[Speech]()


def cleared(entries: list[Entry], at: int) -> list[Entry]:
    """Returns the log with a clear behind the first entry that reaches so many samples."""
    place = next(i for i, entry in enumerate(entries, start=1) if entry.end_sample >= at)
    clear = Entry(place + 1, EntryKind.AUDIO, entries[place - 1].end_sample, reason=Reason.END)
    behind = [
        Entry(one.seq + 1, one.kind, one.first_sample, one.pcm, one.accepted_ms)
        for one in entries[place:]
    ]
    return [*entries[:place], clear, *behind]


def test_clear_drops_what_is_undecided_and_replays_the_same(
    detector: VoiceDetector, beckett: bytes, log_of: LogOf
) -> None:
    entries = log_of(beckett)
    first = spoken(hear(detector, entries))[0]
    at = round((first[0] + first[1]) / 2 * SAMPLE_RATE)
    log = cleared(entries, at)
    watch = SpeechWatch(0, 0, None)
    cuts = hear(detector, log, watch=watch)
    clear = next(entry for entry in log if entry.is_clear)
    assert cuts[0] == Cut(None, Checkpoint(clear.first_sample, clear.seq))
    assert all(start >= clear.first_sample / SAMPLE_RATE for start, _ in spoken(cuts))
    kinds = [one.kind for one in watch.take()]
    assert kinds == ["started", "stopped"] * (len(kinds) // 2)
    for done, cut in enumerate(cuts[:-1], start=1):
        rest = [entry for entry in log if entry.seq > cut.checkpoint.seq]
        assert hear(detector, rest, cut.checkpoint) == cuts[done:]


def test_clear_leaves_what_was_decided_before_it(
    detector: VoiceDetector, beckett: bytes, log_of: LogOf
) -> None:
    whole = hear(detector, log_of(beckett))
    end = spoken(whole)[0][1]
    log = cleared(log_of(beckett), round((end + 0.6) * SAMPLE_RATE))
    assert hear(detector, log)[0] == whole[0]


def test_without_endpointing_silence_ends_no_segment_and_checkpoints_move_on(
    detector: VoiceDetector, beckett: bytes, log_of: LogOf
) -> None:
    """Push to talk: what is said belongs together until the client says that it is over."""
    at = len(beckett) // 2 + SAMPLE_RATE
    entries = log_of(beckett + 61 * SECOND, finalize_at=[at])
    cuts = hear(detector, entries, endpointing_ms=0)
    [(start, end)] = spoken(cuts)
    assert start < 1
    assert end > 8
    asked = next(cut for cut in cuts if cut.segment is not None)
    assert asked.segment is not None
    assert asked.segment.reason is Reason.FINALIZE
    steps = [cut.checkpoint.sample for cut in cuts]
    assert max(np.diff([0, *steps])) <= 15 * SAMPLE_RATE
    for done, cut in enumerate(cuts[:-1], start=1):
        rest = [entry for entry in entries if entry.seq > cut.checkpoint.seq]
        assert hear(detector, rest, cut.checkpoint, endpointing_ms=0) == cuts[done:]


def test_without_endpointing_a_pause_of_the_client_changes_nothing(
    detector: VoiceDetector, beckett: bytes, log_of: LogOf
) -> None:
    at = len(beckett) // 2 + SAMPLE_RATE // 2
    paused = hear(detector, log_of(beckett + SECOND, pause_at=[at]), endpointing_ms=0)
    plain = hear(detector, log_of(beckett + SECOND), endpointing_ms=0)
    assert spoken(paused) == spoken(plain)


@pytest.mark.parametrize("endpointing_ms", [10, 25, 100])
def test_short_endpointing_keeps_every_stretch_apart_and_in_order(
    detector: VoiceDetector, two_cities: bytes, log_of: LogOf, endpointing_ms: int
) -> None:
    """Some clients ask for 10 ms by default."""
    segments = spoken(hear(detector, log_of(two_cities), endpointing_ms=endpointing_ms))
    assert len(segments) > 5
    flat = [at for segment in segments for at in segment]
    assert flat == sorted(flat)
