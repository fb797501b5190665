"""Sessions that are listened to at once: each hears what it would have heard alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import pytest

from scripta_common.wire import BYTES_PER_SAMPLE, Checkpoint, Entry, EntryKind
from scripta_transcriber.engines.moonshine import MoonshineEngine
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter
from scripta_transcriber.segmenter.base import Cut, Segmenter
from scripta_transcriber.segmenter.message import MessageSegmenter
from scripta_transcriber.segmenter.together import Portion, listen
from scripta_transcriber.segmenter.vad import VoiceDetector

pytestmark = pytest.mark.unit

LogOf = Callable[..., list[Entry]]


def segmenter_of(detector: VoiceDetector) -> Segmenter:
    capabilities = MoonshineEngine.capabilities
    return create_segmenter(capabilities, Checkpoint(), SegmenterOptions(), detector)


def alone(detector: VoiceDetector, entries: Sequence[Entry]) -> list[Cut]:
    segmenter = segmenter_of(detector)
    return [cut for entry in entries for cut in segmenter.feed(entry)]


def pieces(entries: Sequence[Entry], chance: random.Random) -> Iterator[Sequence[Entry]]:
    at = 0
    while at < len(entries):
        count = chance.randint(1, 7)
        yield entries[at : at + count]
        at += count


def test_sessions_are_cut_together_as_each_alone(
    detector: VoiceDetector, two_cities: bytes, log_of: LogOf
):
    """A session whose boundaries hung on its neighbours would lose promises at a takeover."""
    chance = random.Random(3)
    logs = []
    for number in range(21):
        start = chance.randrange(len(two_cities) // BYTES_PER_SAMPLE) * BYTES_PER_SAMPLE
        silence = bytes(BYTES_PER_SAMPLE * chance.randrange(40_000))
        pcm = two_cities[start:][:400_000] + silence + two_cities[:start][:300_000]
        finalize_at = [chance.randrange(200_000) for _ in range(number % 3)]
        logs.append(log_of(pcm, [chance.randint(300, 9_000)], finalize_at))
    segmenters = [segmenter_of(detector) for _ in logs]
    waiting = [pieces(entries, chance) for entries in logs]
    cuts: list[list[tuple[Cut, int]]] = [[] for _ in logs]
    left = set(range(len(logs)))
    while left:
        heard = {n: next(waiting[n], None) for n in left if chance.random() < 0.7}
        left -= {n for n, entries in heard.items() if entries is None}
        portions = {n: Portion(segmenters[n], e) for n, e in heard.items() if e is not None}
        for n, outcome in zip(portions, listen(list(portions.values())), strict=True):
            assert not isinstance(outcome, Exception)
            cuts[n] += outcome
    for n, entries in enumerate(logs):
        assert [cut for cut, _ in cuts[n]] == alone(detector, entries)
        assert cuts[n][-1][1] == entries[-1].seq


def test_session_that_fails_does_not_concern_the_others(
    detector: VoiceDetector, beckett: bytes, log_of: LogOf
):
    entries = log_of(beckett)
    torn = [Entry(1, EntryKind.AUDIO, 0, bytes(20_000)), Entry(2, EntryKind.AUDIO, 99_999, b"..")]
    messages = [Entry(1, EntryKind.AUDIO, 0, b"....", message_bytes=4)]
    first, failed, last, by_message = listen(
        [
            Portion(segmenter_of(detector), entries),
            Portion(segmenter_of(detector), torn),
            Portion(segmenter_of(detector), entries),
            Portion(MessageSegmenter(Checkpoint()), messages),
        ]
    )
    assert isinstance(failed, ValueError)
    assert "starts at sample 99999" in str(failed)
    for outcome in (first, last):
        assert not isinstance(outcome, Exception)
        assert [cut for cut, _ in outcome] == alone(detector, entries)
    assert not isinstance(by_message, Exception)
    assert [cut.checkpoint for cut, _ in by_message] == [Checkpoint(2, 1)]


def test_nobody_to_hear_is_heard_at_once():
    assert listen([]) == []
