"""The bench that sets models beside each other: its manifest, noise, intervals and page."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from recordings import beckett

pytestmark = pytest.mark.unit

BENCH = Path(__file__).resolve().parents[1] / "bench"
MODULES = ("checked_manifest", "intervals", "model_run", "noise", "page", "wer")
SAID = "Ever tried. Ever failed. No matter."


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    """Makes the bench's modules importable, for the length of these tests."""
    sys.path.insert(0, str(BENCH))
    before = set(sys.modules)
    yield SimpleNamespace(**{name: import_module(name) for name in MODULES})  # type: ignore[misc]
    sys.path.remove(str(BENCH))
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(BENCH)):
            del sys.modules[name]


def write_wave(path: Path, seconds: float = 0.5, rate: int = 16_000, channels: int = 1) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(int(2 * channels * rate * seconds)))


def write_manifest(folder: Path, *lines: dict[str, Any] | str) -> Path:
    path = folder / "manifest.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


GOOD = {"file": "a.wav", "language": "en", "text": "hello"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({**GOOD, "file": "gone.wav"}, "there is no file"),
        ({**GOOD, "file": "eight.wav"}, "8000 Hz, 1 channel(s) and 16 bits"),
        ({**GOOD, "file": "stereo.wav"}, "ffmpeg -i stereo.wav -ac 1 -ar 16000"),
        ({**GOOD, "file": "no.wav"}, "is no WAV file"),
        ({**GOOD, "file": "empty.wav"}, "has no audio"),
        ({**GOOD, "text": ""}, "what is said, word for word"),
        ({"file": "a.wav", "language": "en"}, 'it has no "text"'),
        ({**GOOD, "text": "…"}, 'it has no "text"'),
        ({**GOOD, "language": "english"}, "language 'english' is not known"),
        ({"file": "a.wav", "text": "hello"}, "missing required field `language`"),
        ({**GOOD, "language": "none"}, "says that nobody speaks"),
        ({**GOOD, "text": 3}, "Expected `str`"),
        ("{", "not an object"),
        ("[]", "not an object"),
    ],
)
def test_manifest_says_what_is_wrong_in_which_line(
    bench: Any, tmp_path: Path, line: dict[str, Any] | str, says: str
) -> None:
    """Guards a traceback, or figures of recordings that nobody meant."""
    write_wave(tmp_path / "a.wav")
    write_wave(tmp_path / "b.wav")
    write_wave(tmp_path / "eight.wav", rate=8_000)
    write_wave(tmp_path / "stereo.wav", channels=2)
    write_wave(tmp_path / "empty.wav", seconds=0)
    (tmp_path / "no.wav").write_text("not audio")
    path = write_manifest(tmp_path, {**GOOD, "file": "b.wav"}, line)
    with pytest.raises(bench.checked_manifest.ManifestError) as raised:
        bench.checked_manifest.read_checked(path)
    (message,) = str(raised.value).splitlines()
    assert "line 2: " in message
    assert says in message


def test_manifest_names_all_that_is_wrong(bench: Any, tmp_path: Path) -> None:
    path = write_manifest(tmp_path, *[{**GOOD, "file": f"{n}.wav"} for n in range(20)])
    with pytest.raises(bench.checked_manifest.ManifestError, match="and 8 more"):
        bench.checked_manifest.read_checked(path)
    with pytest.raises(bench.checked_manifest.ManifestError, match="can not be read"):
        bench.checked_manifest.read_checked(tmp_path / "gone.jsonl")
    with pytest.raises(bench.checked_manifest.ManifestError, match="names no recordings"):
        bench.checked_manifest.read_checked(write_manifest(tmp_path, ""))


def test_manifest_of_a_user_needs_three_fields(bench: Any, tmp_path: Path) -> None:
    write_wave(tmp_path / "a.wav", seconds=1.5)
    (recording,) = bench.checked_manifest.read_checked(write_manifest(tmp_path, GOOD))
    assert (recording.name, recording.seconds, recording.references) == ("a", 1.5, ("hello",))


@pytest.mark.parametrize("decibels", [20.0, 10.0])
def test_noise_is_as_far_below_speech_as_it_says(bench: Any, decibels: float) -> None:
    """Guards noise that is measured against pauses, which would be far too loud or too quiet."""
    tone = 8_000 * np.sin(np.arange(16_000) * 0.2)
    speech = np.concatenate([np.zeros(48_000), tone, np.zeros(48_000)]).astype("<i2")
    noise = bench.noise.read_noise(None)
    mixed = np.frombuffer(noise.mixed("a", speech.tobytes(), decibels), dtype="<i2")
    rest = mixed.astype(float) - speech
    apart = 10 * np.log10(np.mean(tone**2) / np.mean(rest**2))
    assert apart == pytest.approx(decibels, abs=0.5)
    assert mixed.tobytes() == noise.mixed("a", speech.tobytes(), decibels)


def test_interval_is_wide_for_few_recordings_and_none_for_very_few(bench: Any) -> None:
    score, rate = bench.wer.Score, bench.intervals.error_rate
    few = rate([score(2, 10), score(0, 10), score(1, 10)] * 2)
    many = rate([score(2, 10), score(0, 10), score(1, 10)] * 30)
    assert few.rate == many.rate == pytest.approx(0.1)
    assert few.low <= many.low < 0.1 < many.high <= few.high
    assert rate([score(1, 10)] * 4).high == float("inf")
    assert few == rate([score(2, 10), score(0, 10), score(1, 10)] * 2)


def test_difference_is_of_pairs(bench: Any) -> None:
    """Guards a comparison that is drowned by how much harder some recordings are than others."""
    score = bench.wer.Score
    hard = [score(9 * (place % 2), 10) for place in range(40)]
    worse = [score(each.errors + 1, 10) for each in hard]
    apart = bench.intervals.difference(worse, hard)
    assert (apart.rate, apart.low, apart.high) == pytest.approx((0.1, 0.1, 0.1))
    assert not apart.by_chance
    assert bench.intervals.difference(hard, hard).by_chance


@pytest.mark.parametrize(
    ("language", "text", "units"),
    [
        ("ru-RU", "Ещё раз!", ["еще", "раз"]),
        ("ja", "今日は。", ["今", "日", "は"]),
        ("de-AT", "Um 15 Uhr", ["15", "uhr"]),
        ("en-GB", "15", ["fifteen"]),
    ],
)
def test_text_is_compared_as_its_language_has_it(
    bench: Any, language: str, text: str, units: list[str]
) -> None:
    assert bench.wer.units(text, language) == units


def test_page_is_one_file_that_shows_text_as_text(bench: Any) -> None:
    page = bench.page
    blocks = [page.Heading("A <b>", 1), page.Table(("a", "b|c"), [("<1>", "2")]), "x & y"]
    html = page.as_html(blocks)
    assert "A &lt;b&gt;" in html
    assert "<td>&lt;1&gt;</td><td>2</td>" in html
    assert "src=" not in html
    assert "href=" not in html
    assert "| <1> | 2    |" in page.as_markdown(blocks)


@pytest.mark.slow
def test_bench_measures_a_folder_of_the_users_own(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "beckett.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(beckett().pcm)
    manifest = write_manifest(tmp_path, {"file": "beckett.wav", "language": "en", "text": SAID})
    program = [sys.executable, str(BENCH / "models.py"), "--quick", "--seconds", "0"]
    choice = ["--manifest", str(manifest), "--only", "moonshine-tiny-en"]
    page = tmp_path / "models.html"
    done = subprocess.run(
        [*program, *choice, "--out", str(page)],
        env={"PYTHONPATH": str(BENCH.parent / "tests" / "support"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "moonshine-tiny-en: 2 of 2 heard" in done.stderr
    assert "| en       | 10 dB |" in done.stdout
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("files", "engine"),
    [
        (("model.bin", "config.json"), "whisper"),
        (("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"), "moonshine"),
        (("model.int8.onnx", "tokens.txt"), "sherpa"),
        (("notes.txt",), None),
    ],
)
def test_models_of_a_folder_are_known_by_their_files(
    bench: Any, tmp_path: Path, files: tuple[str, ...], engine: str | None
) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert bench.model_run.engine_of(tmp_path) == engine
