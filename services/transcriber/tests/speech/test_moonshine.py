"""The moonshine engine on real speech: words, determinism, odd input, missing files."""

from __future__ import annotations

import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripta_common.wire import Reason
from scripta_transcriber.engines.base import Draft, EngineError, Segment
from scripta_transcriber.engines.moonshine import DISTRIBUTION, MoonshineEngine
from scripta_transcriber.engines.moonshine.decoder import Said
from scripta_transcriber.engines.moonshine.draft_encoder import DraftEncoder
from scripta_transcriber.engines.moonshine.encoder_graphs import (
    draft_graph,
    final_graph,
    stem_graph,
)
from scripta_transcriber.engines.moonshine.engine import Memo, _spoken
from scripta_transcriber.engines.moonshine.layers import Arithmetic, fastest_bytes
from scripta_transcriber.engines.moonshine.weights import Quantized, Weights
from scripta_transcriber.engines.onnx import open_session, packaged_path
from scripta_transcriber.engines.samples import samples_of

pytestmark = pytest.mark.unit


def segment(pcm: bytes) -> Segment:
    return Segment(0, pcm, Reason.ENDPOINT)


def test_speech_becomes_its_words(engine: MoonshineEngine, beckett: bytes):
    transcript = engine.transcribe(segment(beckett))
    words = transcript.text.lower().replace(",", "").replace(".", "")
    assert words == "ever tried ever failed no matter try again fail again fail better"
    assert transcript.confidence is not None
    assert 0.5 < transcript.confidence <= 1.0
    assert transcript.language == "en"


def test_same_segment_gives_the_same_transcript(engine: MoonshineEngine, beckett: bytes):
    """Finals must not change when a session is replayed."""
    first = engine.transcribe(segment(beckett))
    engine.transcribe(segment(beckett[:64_000]))
    assert engine.transcribe(segment(beckett)) == first


def test_threads_at_the_same_time_change_nothing(engine: MoonshineEngine, two_cities: bytes):
    parts = [segment(two_cities[at : at + 128_000]) for at in range(0, len(two_cities), 128_000)]
    alone = [engine.transcribe(part) for part in parts]
    order = [*range(len(parts))] * 2
    random.Random(1).shuffle(order)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: engine.transcribe(parts[i]), order))
    assert together == [alone[i] for i in order]


def test_two_loaded_engines_agree(engine: MoonshineEngine, beckett: bytes):
    """The transcriber that takes over has loaded the model itself."""
    other = MoonshineEngine()
    other.load()
    assert other.transcribe(segment(beckett)) == engine.transcribe(segment(beckett))


@pytest.mark.parametrize("samples", [0, 1, 100, 894, 895, 896, 4_000])
def test_shortest_segments_are_taken(engine: MoonshineEngine, samples: int):
    """The encoder alone refuses fewer than 895 samples."""
    assert isinstance(engine.transcribe(segment(bytes(2 * samples))).text, str)


def test_audio_without_words_never_runs_on(engine: MoonshineEngine):
    noise = np.random.default_rng(3).normal(0, 4_000, 240_000).astype("<i2").tobytes()
    square = np.tile(np.repeat([9_000, -9_000], 40), 3_000).astype("<i2").tobytes()
    for pcm in (noise, square, bytes(480_000)):
        assert len(engine.transcribe(segment(pcm)).text.split()) < 40


EVER_FAILED, NO_MATTER = slice(60_800, 92_800), slice(96_000, 192_000)
"""Bytes of the recording in which that is said."""


@pytest.mark.parametrize("times", [5, 6, 8, 10])
def test_repeated_phrase_does_not_cost_the_sentence_behind_it(
    engine: MoonshineEngine, beckett: bytes, times: int
):
    """A guard against loops took people who repeat themselves for a loop, and stopped there."""
    said = beckett[EVER_FAILED] * times + beckett[NO_MATTER]
    words = engine.transcribe(segment(said)).text.lower().replace(",", "").replace(".", "")
    assert words.endswith("no matter try again")
    assert abs(words.count("ever failed") - times) <= 2


def test_what_lies_behind_a_loop_is_heard(
    engine: MoonshineEngine, beckett: bytes, monkeypatch: pytest.MonkeyPatch
):
    """A decoder that says more than the audio can hold is asked again, for each half."""
    assert engine._model is not None
    greedy, asked = engine._model.decoder.greedy, []

    def looping(memory: Any, limit: int, **more: Any) -> Said:
        asked.append(limit)
        return Said([5, 6] * 16, -0.1, False) if len(asked) == 1 else greedy(memory, limit, **more)

    monkeypatch.setattr(engine._model.decoder, "greedy", looping)
    words = engine.transcribe(segment(beckett)).text.lower()
    assert words.startswith("ever tried")
    assert words.endswith("fail better.")
    assert len(asked) == 3


def test_musical_notes_are_no_words(engine: MoonshineEngine):
    """The model answers music and clicks with a note sign."""
    clicks = np.zeros(192_000, dtype="<i2")
    clicks[::16_000] = 20_000
    assert "♪" not in engine.transcribe(segment(clicks.tobytes())).text
    assert _spoken("Hello ♪ world ,,") == "Hello world ,"
    assert _spoken(" ♪ .") == ""


def test_graphs_of_our_own_hear_what_the_published_ones_do(
    engine: MoonshineEngine, two_cities: bytes
):
    """The draft's encoder and the decoder, with the arithmetic of the published graphs."""
    assert engine._model is not None
    for at in range(0, 512_000, 128_000):
        samples = samples_of(segment(two_cities[at : at + 128_000]))
        tokens, published = published_logits(np.pad(samples, (0, 6_400))[np.newaxis, :])
        names = engine._model.decoder.memory
        memory, _ = engine._model.draft_encoder.hear(samples, 6_400, names, None)
        feeds = dict(zip(names, memory, strict=True))
        feeds |= dict.fromkeys(engine._model.decoder._past, engine._model.decoder._nothing)
        ours = engine._model.decoder._step(feeds, [1, *tokens], 0)
        assert np.corrcoef(ours.ravel(), published.ravel())[0, 1] > 0.995
        assert (ours.argmax(axis=-1) == published.argmax(axis=-1)).mean() >= 0.9


def test_bytes_are_signed_only_where_sums_stay_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Quantized, "signed", lambda self: self)
    assert fastest_bytes() is Arithmetic.SIGNED_BYTES
    monkeypatch.setattr(Quantized, "signed", lambda self: replace(self, scale=2 * self.scale))
    assert fastest_bytes() is Arithmetic.BYTES


def test_encoder_of_another_model_is_refused():
    folder = packaged_path("moonshine_voice", DISTRIBUTION, "assets/tiny-en")
    decoder = Weights(folder / "decoder_model_merged.ort")
    with pytest.raises(EngineError, match="not of one model"):
        final_graph(decoder, decoder)


def test_signed_bytes_stand_for_the_same_numbers():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    matrix = Quantized(values, np.full(16, 0.5, np.float32), np.full(16, 100, np.uint8))
    assert matrix.signed().values.dtype == np.int8
    assert np.array_equal(matrix.signed().unpacked(), matrix.unpacked())
    assert matrix.unpacked()[0, 0] == -50.0


def published_logits(samples: np.ndarray) -> tuple[list[int], np.ndarray]:
    """Returns what the graphs in the package make of audio: their tokens and logits."""
    folder = packaged_path("moonshine_voice", DISTRIBUTION, "assets/tiny-en")
    mask = np.ones(samples.shape, dtype=np.int64)
    encoder = open_session(folder / "encoder_model.ort")
    hidden = encoder.run(None, {"input_values": samples, "attention_mask": mask})[0]
    decoder = open_session(folder / "decoder_model_merged.ort")
    past = [node.name for node in decoder.get_inputs() if node.name.startswith("past")]
    tokens: list[int] = []
    while True:
        feeds = {
            "encoder_attention_mask": mask,
            "encoder_hidden_states": hidden,
            "use_cache_branch": np.array([False]),
            "input_ids": np.array([[1, *tokens]], dtype=np.int64),
            **dict.fromkeys(past, np.zeros((1, 8, 0, 36), dtype=np.float32)),
        }
        logits = decoder.run(["logits"], feeds)[0][0]
        token = int(logits[-1].argmax())
        if token == 2 or len(tokens) > 60:
            return tokens, logits
        tokens.append(token)


def test_engine_that_is_not_loaded_says_so(beckett: bytes):
    with pytest.raises(EngineError, match="not loaded"):
        MoonshineEngine().transcribe(segment(beckett))


def test_missing_package_names_the_fix(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("scripta_transcriber.engines.onnx.find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r"pip install 'moonshine-voice==0\.1\.0'"):
        MoonshineEngine().load()


@pytest.mark.parametrize("name", ["encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut"])
def test_damaged_file_is_named(tmp_path: Path, name: str, damage: str):
    whole = packaged_path("moonshine_voice", DISTRIBUTION, "assets/tiny-en")
    for file in whole.iterdir():
        if file.name != name:
            (tmp_path / file.name).symlink_to(file)
    if damage == "empty":
        (tmp_path / name).touch()
    elif damage == "cut":
        shutil.copyfile(whole / name, tmp_path / name)
        with (tmp_path / name).open("r+b") as file:
            file.truncate((whole / name).stat().st_size // 2 + 1)
    with pytest.raises(EngineError, match=name):
        MoonshineEngine(tmp_path).load()


def test_draft_says_of_which_words_it_is_sure(engine: MoonshineEngine, two_cities: bytes):
    """Most have no rival; a word that is cut off has."""
    draft = engine.draft(segment(two_cities[:128_000]))
    assert draft.sure is not None
    assert len(draft.sure) == len(draft.text.split()) > 5
    assert sum(draft.sure) > len(draft.sure) / 2


@pytest.mark.parametrize("wrong", [0, 3, 40])
def test_guess_changes_what_a_draft_costs_and_not_what_it_hears(
    engine: MoonshineEngine, two_cities: bytes, wrong: int
):
    """A right guess, one whose end is wrong, and one that is too long and wrong throughout."""
    speech = segment(two_cities[:128_000])
    plain = engine.draft(speech)
    assert len(plain.text.split()) > 5
    said = tokens_of(plain)
    guess = (*said[: max(0, len(said) - wrong)], *range(100, 100 + wrong))
    again = engine.draft(speech, Memo(guess))
    assert (again.text, tokens_of(again)) == (plain.text, said)


def test_right_guess_is_checked_in_one_step(two_cities: bytes):
    engine = MoonshineEngine()
    engine.load()
    assert engine._model is not None
    decoder = engine._model.decoder
    session = decoder._session = CountingSession(decoder._session)
    speech = segment(two_cities[:128_000])
    plain = engine.draft(speech)
    assert session.runs == len(tokens_of(plain)) + 1  # and the end
    engine.draft(speech, plain.memo)
    assert session.runs == len(tokens_of(plain)) + 2


@pytest.fixture(scope="module")
def unrounded() -> DraftEncoder:
    """The encoder of drafts without rounding, which makes much of a last bit."""
    hearing, speaking = (
        Weights(packaged_path("moonshine_voice", DISTRIBUTION, f"assets/tiny-en/{name}.ort"))
        for name in ("encoder_model", "decoder_model_merged")
    )
    rest = draft_graph(hearing, speaking, Arithmetic.FLOATS)
    return DraftEncoder(open_session(stem_graph(hearing)), open_session(rest))


def assert_alike(ours: list[np.ndarray], theirs: list[np.ndarray]):
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.shape == other.shape
        assert np.abs(mine - other).max() < 1e-3 * np.abs(other).max()


@pytest.mark.parametrize("step", [160, 511, 512, 704, 8_000, 20_011])
def test_audio_that_was_heard_before_sounds_as_if_it_were_heard_anew(
    engine: MoonshineEngine, unrounded: DraftEncoder, two_cities: bytes, step: int
):
    """Growing by as little as a part of a row, from nothing on; and then cut back again."""
    assert engine._model is not None
    names = engine._model.decoder.memory
    speech = samples_of(segment(two_cities[:96_000]))
    rows = None
    for end in (*range(1, min(12 * step, len(speech)), step), 20_000, 300):
        ours, rows = unrounded.hear(speech[:end], 16_000, names, rows)
        assert_alike(ours, unrounded.hear(speech[:end], 16_000, names, None)[0])


@pytest.mark.parametrize("size", [96_000, 500])
def test_drafts_hear_what_finals_do(
    engine: MoonshineEngine, unrounded: DraftEncoder, two_cities: bytes, size: int
):
    """The second convolution before the normalisation is the same as behind it."""
    assert engine._model is not None
    names, samples = engine._model.decoder.memory, samples_of(segment(two_cities[:size]))
    padded = np.pad(samples, (0, 16_000))[np.newaxis, :]
    final = engine._model.encoder.run(names, {"samples": padded})
    assert_alike(unrounded.hear(samples, 16_000, names, None)[0], final)


def tokens_of(draft: Draft) -> tuple[int, ...]:
    assert isinstance(draft.memo, Memo)
    return draft.memo.tokens


class CountingSession:
    def __init__(self, session: Any) -> None:
        self._session = session
        self.runs = 0

    def run(self, *arguments: Any) -> Any:
        self.runs += 1
        return self._session.run(*arguments)


def test_what_was_heard_behind_other_silence_is_heard_again(
    engine: MoonshineEngine, two_cities: bytes
) -> None:
    """The silence before a segment differs as soon as its first frame of speech is another."""
    speech = segment(two_cities[32_000:160_000])
    close, far = (replace(speech, lead=lead) for lead in (0, 4_800))
    after, plain = engine.draft(far, engine.draft(close).memo), engine.draft(far)
    assert isinstance(after.memo, Memo)
    assert isinstance(plain.memo, Memo)
    assert after.memo.rows is not None
    assert plain.memo.rows is not None
    np.testing.assert_array_equal(after.memo.rows.values, plain.memo.rows.values)
