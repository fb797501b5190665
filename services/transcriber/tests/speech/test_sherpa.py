"""The sherpa engine: kinds of models, words and times, determinism, files that end a process."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sherpa_moonshine import write_sherpa_moonshine

from scripta_common.wire import Reason
from scripta_transcriber.engines.base import EngineError, Segment
from scripta_transcriber.engines.sherpa import SherpaEngine
from scripta_transcriber.engines.sherpa_models import KINDS, recognise
from scripta_transcriber.engines.source import ModelSource

pytestmark = pytest.mark.unit

SECOND = 16_000


def segment(pcm: bytes, start: int = 0, language: str | None = None) -> Segment:
    return Segment(start, pcm, Reason.ENDPOINT, language=language)


def loud_from(second: float, until: float, seconds: float) -> bytes:
    samples = np.zeros(round(seconds * SECOND))
    noise = np.random.default_rng(5).normal(0, 3_000, samples.shape)
    at = slice(round(second * SECOND), round(until * SECOND))
    samples[at] = noise[at]
    return samples.astype("<i2").tobytes()


@pytest.fixture(scope="module")
def tiny() -> ModuleType:
    path = Path(__file__).with_name("tiny_models.py")
    spec = importlib.util.spec_from_file_location("tiny_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def moonshine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model of sherpa-onnx's."""
    return write_sherpa_moonshine(tmp_path_factory.mktemp("moonshine-tiny"))


@pytest.fixture(scope="module")
def engine(moonshine: Path) -> SherpaEngine:
    engine = SherpaEngine(ModelSource(str(moonshine)), threads=2)
    engine.load()
    return engine


@pytest.fixture(params=["ctc", "transducer", "streaming_transducer"])
def tiny_model(request: pytest.FixtureRequest, tiny: ModuleType, tmp_path: Path) -> Path:
    folder = tmp_path / request.param
    folder.mkdir()
    getattr(tiny, f"write_{request.param}")(folder)
    return folder


def test_real_model_turns_speech_into_its_words(engine: SherpaEngine, two_cities: bytes):
    heard = engine.transcribe(segment(two_cities[: 5 * 2 * SECOND]))
    assert "it was the best of times" in heard.text.lower()
    assert (heard.language, heard.words) == ("en", ())
    assert engine.draft(segment(two_cities[: 5 * 2 * SECOND])).text == heard.text


def test_same_segment_gives_the_same_transcript_on_every_thread(
    engine: SherpaEngine, two_cities: bytes
):
    """Finals must not change when a session is replayed, however busy its transcriber is."""
    step = 8 * SECOND
    parts = [segment(two_cities[at : at + step]) for at in range(0, 6 * step, step)]
    alone = [engine.transcribe(part) for part in parts]
    assert any(heard.text for heard in alone)
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda i: engine.transcribe(parts[i % 6]), range(12)))
    assert together == alone * 2


def test_every_kind_hears_when_a_word_begins(tiny_model: Path):
    """A streaming model is asked for a segment like any other."""
    engine = SherpaEngine(ModelSource(str(tiny_model)))
    engine.load()
    assert engine.capabilities.word_times
    said = segment(loud_from(1.0, 2.0, 3.0), start=2 * SECOND, language="fi")
    heard = engine.transcribe(said)
    assert (heard.text, heard.language) == ("hey", "fi")
    [word] = heard.words
    assert word.text == "hey"
    assert word.start == pytest.approx(3.0, abs=0.1)
    assert word.start < word.end <= 5.0
    engine.transcribe(segment(loud_from(0.0, 1.0, 1.5)))
    assert engine.transcribe(said) == heard
    assert engine.transcribe(segment(bytes(SECOND))).text == ""
    assert engine.transcribe(segment(b"")).text == ""


def test_word_at_the_very_end_is_heard_by_a_streaming_model(tiny: ModuleType, tmp_path: Path):
    tiny.write_streaming_transducer(tmp_path)
    engine = SherpaEngine(ModelSource(str(tmp_path)))
    engine.load()
    assert engine.transcribe(segment(loud_from(1.9, 2.0, 2.0))).text == "hey"


def test_kinds_are_recognised_by_their_files(tiny: ModuleType, moonshine: Path, tmp_path: Path):
    for write, kind in (
        (tiny.write_ctc, "zipformer_ctc"),
        (tiny.write_transducer, "transducer"),
        (tiny.write_streaming_transducer, "streaming_transducer"),
    ):
        folder = tmp_path / kind
        folder.mkdir()
        write(folder)
        assert recognise(folder) == kind
    assert recognise(moonshine) == "moonshine"
    (tmp_path / "zipformer_ctc" / "scripta.json").write_text('{"kind": "wenet_ctc"}')
    assert recognise(tmp_path / "zipformer_ctc") == "wenet_ctc"


def test_every_kind_has_a_maker_that_takes_its_arguments():
    import inspect

    import sherpa_onnx

    for name, kind in KINDS.items():
        owner, method = kind.factory
        taken = inspect.signature(getattr(getattr(sherpa_onnx, owner), method)).parameters
        given = {*kind.files, *dict(kind.options), "tokens", "num_threads"}
        assert given <= set(taken), name


def test_quantised_file_is_preferred(tiny: ModuleType, tmp_path: Path):
    tiny.write_ctc(tmp_path)
    (tmp_path / "model.onnx").rename(tmp_path / "model.int8.onnx")
    (tmp_path / "model.onnx").write_bytes(b"large")
    SherpaEngine(ModelSource(str(tmp_path))).load()


def test_card_tells_languages_before_the_model_is_loaded(moonshine: Path):
    assert SherpaEngine(ModelSource(str(moonshine))).capabilities.languages == {"en"}
    assert not SherpaEngine(ModelSource("/nowhere")).capabilities.languages


def _truncated(folder: Path) -> None:
    with (folder / "encoder.onnx").open("r+b") as file:
        file.truncate(100)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncated, r"encoder\.onnx cannot be loaded"),
        (lambda folder: (folder / "tokens.txt").unlink(), r"has no tokens\.txt: put a model"),
        (lambda folder: (folder / "decoder.onnx").unlink(), r"has no decoder\*\.onnx: put a model"),
        (lambda folder: (folder / "tokens.txt").write_text("nonsense"), "can not be loaded"),
        (lambda folder: (folder / "scripta.json").write_text('{"kin'), r"scripta\.json can not be"),
        (
            lambda folder: (folder / "scripta.json").write_text('{"kind": "tape"}'),
            "says kind 'tape': known are moonshine, nemo_ctc",
        ),
    ],
)
def test_broken_model_is_refused_and_ends_no_other_process(
    tiny: ModuleType, tmp_path: Path, damage: Callable[[Path], object], message: str
):
    tiny.write_transducer(tmp_path)
    damage(tmp_path)
    with pytest.raises(EngineError, match=message) as refused:
        SherpaEngine(ModelSource(str(tmp_path))).load()
    assert str(tmp_path) in str(refused.value)


def test_folder_of_another_kind_says_how_to_name_its_kind(tmp_path: Path, tiny: ModuleType):
    tiny.write_transducer(tmp_path)
    for name in ("encoder.onnx", "decoder.onnx"):
        (tmp_path / name).unlink()
    (tmp_path / "joiner.onnx").rename(tmp_path / "model.onnx")
    with pytest.raises(EngineError, match=r"kind .* is not known: write scripta\.json beside it"):
        SherpaEngine(ModelSource(str(tmp_path))).load()


def test_model_that_does_not_load_in_time_is_refused(
    moonshine: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys.modules[SherpaEngine.__module__], "TRIAL_SECONDS", 0.001)
    with pytest.raises(EngineError, match="takes longer than"):
        SherpaEngine(ModelSource(str(moonshine))).load()


def test_engine_that_is_not_loaded_says_so(moonshine: Path):
    with pytest.raises(EngineError, match="not loaded"):
        SherpaEngine(ModelSource(str(moonshine))).transcribe(segment(bytes(SECOND)))
