"""The mock engine, its segmenter, and what makes engines and segmenters by name."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from scripta_common.wire import Checkpoint, Entry, EntryKind, Reason
from scripta_transcriber.engines import create_engine
from scripta_transcriber.engines.base import EngineError, Segment
from scripta_transcriber.engines.mock import MockEngine
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter, load_detector
from scripta_transcriber.segmenter.base import Cut
from scripta_transcriber.segmenter.message import MessageSegmenter
from scripta_transcriber.segmenter.vad import VoiceDetector

pytestmark = pytest.mark.unit


def message(seq: int, first: int, pcm: bytes, size: int) -> Entry:
    return Entry(seq, EntryKind.AUDIO, first, pcm, accepted_ms=1000 * seq, message_bytes=size)


def test_mock_says_when_in_local_time_and_how_big(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "UTC-3")
    time.tzset()
    try:
        segment = Segment(0, b"", Reason.MESSAGE, message_bytes=1024, accepted_ms=1_700_000_000_999)
        text = MockEngine().transcribe(segment).text
    finally:
        monkeypatch.undo()
        time.tzset()
    assert text == "Transcribed: 2023-11-15 01:13:20 (size: 1024 bytes)"


def test_every_message_is_one_segment_of_all_its_entries():
    segmenter = MessageSegmenter(Checkpoint(100, 4))
    assert segmenter.feed(message(5, 100, b"ab", 0)) == []
    assert segmenter.feed(message(6, 101, b"cdef", 9)) == [
        Cut(Segment(100, b"abcdef", Reason.MESSAGE, 9, 6000), Checkpoint(103, 6))
    ]
    assert segmenter.feed(message(7, 103, b"", 1)) == [
        Cut(Segment(103, b"", Reason.MESSAGE, 1, 7000), Checkpoint(103, 7))
    ]


def test_only_messages_have_finals_and_boundaries_are_passed():
    segmenter = MessageSegmenter(Checkpoint())
    assert segmenter.feed(Entry(1, EntryKind.FINALIZE, 0)) == [Cut(None, Checkpoint(0, 1))]
    assert segmenter.feed(Entry(2, EntryKind.END, 0)) == [Cut(None, Checkpoint(0, 2), ended=True)]
    assert segmenter.open_segment() is None


def test_boundary_inside_a_message_leaves_its_start_in_the_log():
    segmenter = MessageSegmenter(Checkpoint())
    segmenter.feed(message(1, 0, b"ab", 0))
    assert segmenter.feed(Entry(2, EntryKind.FINALIZE, 1)) == []


@pytest.mark.parametrize(("name", "made"), [("mock", "mock"), (" Moonshine ", "moonshine")])
def test_engine_is_made_by_name(name: str, made: str):
    assert create_engine(name, threads=2).name == made


def test_unknown_engine_names_the_known_ones():
    with pytest.raises(EngineError, match="'deaf': set ENGINE to one of mock, moonshine, "):
        create_engine("deaf", threads=1)


def test_engine_without_threads_is_refused():
    with pytest.raises(EngineError, match="at least one thread"):
        create_engine("mock", threads=0)


def test_mock_needs_no_voice_detector():
    capabilities = MockEngine().capabilities
    assert load_detector(capabilities) is None
    made = create_segmenter(capabilities, Checkpoint(), SegmenterOptions(), None)
    assert isinstance(made, MessageSegmenter)


def test_session_chooses_its_endpoint_silence(
    detector: VoiceDetector, beckett: bytes, log_of: Callable[..., list[Entry]]
):
    def segments(milliseconds: int | None) -> int:
        segmenter = create_segmenter(
            create_engine("moonshine", 1).capabilities,
            Checkpoint(),
            SegmenterOptions(milliseconds),
            detector,
        )
        cuts = [cut for entry in log_of(beckett) for cut in segmenter.feed(entry)]
        return sum(cut.segment is not None for cut in cuts)

    assert segments(100) >= segments(None) > segments(3000) == 1
