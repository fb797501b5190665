"""Streaming models in sherpa: audio is heard once, and finals depend on the segment alone."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from onnxruntime.quantization import QuantType, quantize_dynamic
from tiny_streaming_models import WORDS, WRITERS, write_lstm_transducer, write_zipformer_transducer

from scripta_common.wire import Checkpoint, Entry, Reason
from scripta_transcriber.engines import sherpa_stream
from scripta_transcriber.engines.base import EngineError, Segment
from scripta_transcriber.engines.onnx import open_session
from scripta_transcriber.engines.quiet import part
from scripta_transcriber.engines.sherpa import SherpaEngine
from scripta_transcriber.engines.sherpa_models import recognise
from scripta_transcriber.engines.sherpa_stream import BLOCK, SherpaStream
from scripta_transcriber.engines.source import ModelSource
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter
from scripta_transcriber.segmenter.vad import VoiceDetector
from scripta_transcriber.streamed import Streamed

pytestmark = pytest.mark.unit

SECOND = 16_000
START = Checkpoint()
LogOf = Callable[..., list[Entry]]
few = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

fewer = settings(few, max_examples=3, phases=[Phase.generate])  # to shrink takes minutes


def load(folder: Path) -> SherpaEngine:
    engine = SherpaEngine(ModelSource(str(folder)), threads=2)
    engine.load()
    return engine


@pytest.fixture(scope="module", params=sorted(WRITERS))
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One engine of each kind of streaming model."""
    folder = tmp_path_factory.mktemp(request.param)
    write, kind = WRITERS[request.param]
    write(folder)
    assert recognise(folder) == kind
    return load(folder)


@pytest.fixture(scope="module")
def zipformer(tmp_path_factory: pytest.TempPathFactory) -> SherpaEngine:
    folder = tmp_path_factory.mktemp("zipformer")
    write_zipformer_transducer(folder)
    return load(folder)


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples of speech each call has fed to a decoder; silence does not count."""
    counts: list[int] = []
    feed = SherpaStream._feed

    def count(stream: SherpaStream, samples: Any) -> int:
        if samples is not sherpa_stream._SILENCE:
            counts.append(len(samples))
        return feed(stream, samples)

    monkeypatch.setattr(SherpaStream, "_feed", count)
    return counts


def speech(pcm: bytes, start: int = 3 * SECOND) -> Segment:
    return Segment(start, pcm, Reason.ENDPOINT)


def growing(segment: Segment, *ends: int) -> Iterator[Segment]:
    for end in ends:
        yield part(segment, segment.start, min(segment.end, segment.start + end))


@few
@given(ends=st.lists(st.integers(1, 11 * SECOND), max_size=6))
def test_final_is_the_same_however_the_audio_came(
    engine: SherpaEngine, beckett: bytes, ends: list[int]
) -> None:
    segment = speech(beckett[: 2 * 9 * SECOND + 246])
    alone = engine.transcribe(segment)
    assert set(alone.text.split()) <= set(WORDS)
    assert len(alone.text.split()) > 3
    memo: object = None
    for so_far in growing(segment, *sorted(ends)):
        memo = engine.draft(so_far, memo).memo
    assert engine.transcribe(segment, memo) == alone


def test_interims_grow_and_audio_is_heard_once(
    engine: SherpaEngine, beckett: bytes, fed: list[int]
) -> None:
    segment = speech(beckett[: 2 * 7 * SECOND + 500])
    memo: object = None
    texts, stable = [], []
    for so_far in growing(segment, *range(4_000, 8 * SECOND, 5_000)):
        draft = engine.draft(so_far, memo)
        assert sum(fed) == len(so_far.pcm) // 2 // BLOCK * BLOCK
        memo = draft.memo
        assert draft.sure is not None
        texts.append(draft.text)
        stable.append(draft.text.split()[: sum(draft.sure)])
    final = engine.transcribe(segment, memo)
    assert sum(fed) == len(segment.pcm) // 2
    assert all(later.startswith(earlier) for earlier, later in pairwise([*texts, final.text]))
    assert len(set(texts)) > 2
    for words in stable:
        assert final.text.split()[: len(words)] == words


def test_state_that_has_heard_too_much_is_not_gone_on_with(
    engine: SherpaEngine, beckett: bytes
) -> None:
    """A cut for length may lie before what was heard: its final must not know what comes later."""
    whole = speech(beckett[: 2 * 8 * SECOND])
    [shorter] = growing(whole, 5 * SECOND)
    memo = engine.draft(whole).memo
    assert engine.transcribe(shorter, memo) == engine.transcribe(shorter)
    other = speech(beckett[: 2 * 8 * SECOND], start=0)
    assert engine.transcribe(other, memo) == engine.transcribe(other)


def test_word_times_are_those_of_the_audio(engine: SherpaEngine, beckett: bytes) -> None:
    """T-one hears silence first, which belongs to nobody's audio."""
    if not engine.capabilities.word_times:
        pytest.skip("sherpa-onnx tells wrong times of this kind")
    quiet = 2 * SECOND
    plain = engine.transcribe(speech(beckett)).words
    later = engine.transcribe(speech(bytes(2 * quiet) + beckett)).words
    assert plain[0].start - 3.0 < 1.0
    assert later[0].start - plain[0].start == pytest.approx(2.0, abs=0.3)


def test_draft_of_a_finished_segment_changes_nothing(zipformer: SherpaEngine, beckett: bytes):
    """A draft that a thread took up late comes behind the final."""
    segment = speech(beckett[: 2 * 5 * SECOND])
    memo = zipformer.draft(next(growing(segment, SECOND))).memo
    final = zipformer.transcribe(segment, memo)
    assert zipformer.draft(segment, memo).text == final.text
    assert zipformer.transcribe(segment, memo) == final


def test_decoder_that_failed_on_the_way_is_not_gone_on_with(
    zipformer: SherpaEngine, beckett: bytes, monkeypatch: pytest.MonkeyPatch
):
    """It has heard a block that was not counted, and would hear it twice."""
    segment = speech(beckett[: 2 * 5 * SECOND])
    draft = zipformer.draft(next(growing(segment, 2 * SECOND)))
    with monkeypatch.context() as broken:
        broken.setattr(SherpaStream, "_feed", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            zipformer.draft(next(growing(segment, 3 * SECOND)), draft.memo)
    assert zipformer.transcribe(segment, draft.memo) == zipformer.transcribe(segment)


def test_final_waits_for_the_draft_under_way_and_hears_nothing_again(
    zipformer: SherpaEngine, beckett: bytes, fed: list[int], monkeypatch: pytest.MonkeyPatch
):
    segment = speech(beckett[: 2 * 6 * SECOND])
    expected = zipformer.transcribe(segment)
    memo = zipformer.draft(next(growing(segment, SECOND))).memo
    fed.clear()
    feed, under_way, go_on = SherpaStream._feed, threading.Event(), threading.Event()

    def wait(stream: SherpaStream, samples: Any) -> int:
        under_way.set()
        assert go_on.wait(10)
        return feed(stream, samples)

    monkeypatch.setattr(SherpaStream, "_feed", wait)
    with ThreadPoolExecutor(2) as pool:
        draft = pool.submit(zipformer.draft, next(growing(segment, 4 * SECOND)), memo)
        assert under_way.wait(10)
        final = pool.submit(zipformer.transcribe, segment, memo)
        go_on.set()
        assert final.result(10) == expected
        assert draft.result(10)
    assert sum(fed) == 5 * SECOND


def test_many_streams_at_once_say_what_each_says_alone(zipformer: SherpaEngine, beckett: bytes):
    segments = [speech(beckett[at : at + 2 * 4 * SECOND]) for at in range(0, 64_000, 16_000)]
    alone = [zipformer.transcribe(segment) for segment in segments]
    assert len({heard.text for heard in alone}) > 1

    def live(segment: Segment) -> Any:
        memo: object = None
        for so_far in growing(segment, *range(BLOCK, 4 * SECOND, BLOCK)):
            memo = zipformer.draft(so_far, memo).memo
        return zipformer.transcribe(segment, memo)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(live, segments * 3)) == alone * 3


def test_batch_of_a_quantised_model_changes_its_numbers(tmp_path: Path) -> None:
    """Why streams are decoded one by one: a neighbour moves the scale of all that is quantised."""
    write_zipformer_transducer(tmp_path)
    small = tmp_path / "encoder.int8.onnx"
    kinds = ["MatMul"]
    quantize_dynamic(tmp_path / "encoder.onnx", small, None, kinds, weight_type=QuantType.QInt8)
    session = open_session(small)
    speaking = np.random.default_rng(3).normal(-4, 3, (1, 45, 80)).astype(np.float32)

    def count(features: Any) -> float:
        sizes = {
            node.name: [len(features) if size == "N" else size for size in node.shape]
            for node in session.get_inputs()
        }
        states = {name: np.zeros(size, np.float32) for name, size in sizes.items()}
        whole = {"processed_lens": np.zeros(len(features), np.int64)}
        [cache] = session.run(["new_cached_key_0"], states | whole | {"x": features})
        return float(cache[0, 0, 0])

    alone = count(speaking)
    assert count(speaking) == alone
    assert count(np.concatenate([speaking, speaking + 9])) != alone


class Live:
    """One session, as a transcriber works on it: interims of what is open, finals of cuts."""

    def __init__(self, engine: SherpaEngine, detector: VoiceDetector, longest: int | None) -> None:
        self._engine = engine
        options = SegmenterOptions(max_segment_ms=longest)
        self._segmenter = partial(create_segmenter, engine.capabilities, options=options)
        self._detector = detector

    def run(
        self, entries: list[Entry], every: int, checkpoint: Checkpoint = START
    ) -> list[tuple[Checkpoint, str]]:
        """Returns each final with its checkpoint.

        Args:
            entries: The log behind the checkpoint.
            every: After how many entries there is an interim; 0: there is none.
            checkpoint: Where it begins.
        """
        segmenter = self._segmenter(checkpoint, detector=self._detector)
        streamed, stable, finals = Streamed(self._engine), "", []
        for number, entry in enumerate(entries, start=1):
            for cut in segmenter.feed(entry):
                if cut.segment is None:
                    continue
                text = self._engine.transcribe(cut.segment, streamed.memo).text
                assert text.startswith(stable)
                finals.append((cut.checkpoint, text))
                streamed, stable = Streamed(self._engine), ""
            speaking = segmenter.open_segment()
            if every and number % every == 0 and speaking is not None:
                stable = streamed.hear(speaking).stable
        return finals


@fewer
@given(
    chunks=st.lists(st.integers(200, 20_000), min_size=1, max_size=4),
    every=st.integers(1, 7),
    boundaries=st.lists(st.integers(0, 10 * SECOND), max_size=3),
)
@pytest.mark.parametrize("longest", [None, 2_500])
def test_replay_from_any_checkpoint_gives_the_words_of_the_run_without_fault(
    zipformer: SherpaEngine,
    detector: VoiceDetector,
    beckett: bytes,
    two_cities: bytes,
    log_of: LogOf,
    chunks: list[int],
    every: int,
    boundaries: list[int],
    longest: int | None,
) -> None:
    """The state is gone with its transcriber; only the log is left."""
    pcm = beckett if longest is None else two_cities[: 20 * SECOND]
    session = Live(zipformer, detector, longest)
    places = {"finalize_at": boundaries[:1], "pause_at": boundaries[1:]}
    expected = session.run(log_of(pcm, **places), every=0)
    assert len(expected) >= 3
    entries = log_of(pcm, chunks, **places)
    live = session.run(entries, every)
    assert [text for _, text in live] == [text for _, text in expected]
    for done, (checkpoint, _) in enumerate(live[:-1], start=1):
        rest = [entry for entry in entries if entry.seq > checkpoint.seq]
        assert session.run(rest, every + 1, checkpoint) == live[done:]


def test_final_hears_only_what_no_interim_has_heard(
    zipformer: SherpaEngine, detector: VoiceDetector, beckett: bytes, log_of: LogOf, fed: list[int]
) -> None:
    """Guards against streams that run past the end of speech, whose finals begin anew."""
    session = Live(zipformer, detector, None)
    segmenter = session._segmenter(Checkpoint(), detector=detector)
    entries = log_of(beckett)
    segments = [cut.segment for entry in entries for cut in segmenter.feed(entry) if cut.segment]
    session.run(entries, every=1)
    assert sum(fed) == sum(len(segment.pcm) // 2 for segment in segments)


def test_streams_are_gone_with_their_segments(zipformer: SherpaEngine, beckett: bytes) -> None:
    segment = speech(beckett)
    memo = zipformer.draft(segment).memo
    assert isinstance(memo, SherpaStream)
    zipformer.transcribe(segment, memo)
    assert memo._stream is None  # what it held in sherpa-onnx is free, whoever holds the memo
    del memo
    gc.collect()
    assert not any(isinstance(each, SherpaStream) for each in gc.get_objects())


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (partial(write_lstm_transducer, encoder_type="tdnn"), "encoder of the type 'tdnn', which"),
        (partial(write_lstm_transducer, encoder_type=""), "encoder of the type '', which"),
        (partial(write_zipformer_transducer, decode_chunk_len=""), "can not be loaded .*decode_ch"),
    ],
)
def test_streaming_model_that_is_not_supported_says_what_is(
    tmp_path: Path, write: Callable[[Path], None], message: str
) -> None:
    write(tmp_path)
    with pytest.raises(EngineError, match=message) as refused:
        SherpaEngine(ModelSource(str(tmp_path))).load()
    assert str(tmp_path) in str(refused.value)


def test_streaming_paraformer_is_refused(tmp_path: Path) -> None:
    write_lstm_transducer(tmp_path, encoder_type="paraformer")
    (tmp_path / "joiner.onnx").unlink()
    with pytest.raises(EngineError, match="streaming paraformer, which is not supported: use"):
        SherpaEngine(ModelSource(str(tmp_path))).load()
