"""When moonshine's words are said: against the audio itself, which needs no aligner."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripta_common.wire import SAMPLE_RATE, Reason, Word
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.engines.moonshine import MoonshineEngine, heads
from scripta_transcriber.engines.moonshine.decoder import Said

pytestmark = pytest.mark.unit

SECOND = 2 * SAMPLE_RATE
NEAR = 0.1
"""Seconds: what a listener takes for the same moment."""


def segment(pcm: bytes, start: int = 0) -> Segment:
    return Segment(start, pcm, Reason.ENDPOINT)


def silence(seconds: float) -> bytes:
    """Returns a quiet room."""
    noise = np.random.default_rng(5).normal(0, 3, round(seconds * SAMPLE_RATE))
    return noise.astype("<i2").tobytes()


def onsets(pcm: bytes, least_pause: float = 0.2) -> list[float]:
    """Returns the seconds at which it becomes loud after a pause."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    power = np.sqrt((frames**2).mean(axis=1))
    loud = np.flatnonzero(power > 0.15 * np.quantile(power, 0.95))
    before = np.concatenate([[-1000], loud[:-1]])
    return [float(at) / 100 for at in loud[loud - before > 100 * least_pause]]


def assert_in_order(words: Iterable[Word], start: float, end: float) -> None:
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert all(start <= time <= end for time in times)


@pytest.mark.parametrize("at", [0, 8, 20])
def test_words_are_those_of_the_text_in_order_and_inside_their_segment(
    engine: MoonshineEngine, two_cities: bytes, at: int
) -> None:
    speech = segment(two_cities[at * SECOND : (at + 11) * SECOND], start=at * SAMPLE_RATE)
    heard = engine.transcribe(speech)
    assert " ".join(word.text for word in heard.words) == heard.text
    assert_in_order(heard.words, at, speech.end / SAMPLE_RATE)
    assert all(word.end > word.start for word in heard.words)


def test_word_begins_where_it_gets_loud_after_a_pause(
    engine: MoonshineEngine, two_cities: bytes
) -> None:
    pcm = two_cities[SECOND : 11 * SECOND]
    begins = [word.start for word in engine.transcribe(segment(pcm)).words]
    loud = onsets(pcm)
    assert len(loud) >= 4
    for at in loud:
        assert min(abs(begin - at) for begin in begins) <= NEAR


SENTENCES = {"beckett": [2, 4, 8], "two_cities": [6, 12, 18]}
"""Words of recordings that begin a sentence or a part of one."""


@pytest.mark.parametrize("pause", [0.3, 1.0, 2.0])
@pytest.mark.parametrize(
    ("recording", "number"), [(name, at) for name, all_of in SENTENCES.items() for at in all_of]
)
def test_pause_between_two_words_moves_the_second(
    engine: MoonshineEngine,
    request: pytest.FixtureRequest,
    recording: str,
    number: int,
    pause: float,
) -> None:
    """Guards a decoder that looks for the word in the silence: it was 0.3 s early."""
    pcm = request.getfixturevalue(recording)[: 10 * SECOND]
    plain = engine.transcribe(segment(pcm)).words
    before, word = plain[number - 1], plain[number]
    cut = round((before.end + word.start) / 2 * SAMPLE_RATE) * 2
    later = engine.transcribe(segment(pcm[:cut] + silence(pause) + pcm[cut:])).words
    assert bare(later) == bare(plain)
    assert later[number].start - word.start == pytest.approx(pause, abs=NEAR)
    assert later[number - 1].start - before.start == pytest.approx(0.0, abs=NEAR)
    assert later[number - 1].end < cut / SECOND + NEAR


def bare(words: Iterable[Word]) -> list[str]:
    return [word.text.strip(".,").lower() for word in words]


@pytest.mark.parametrize("lead", [0.2, 0.5, 2.0])
def test_silence_at_the_start_moves_the_first_word(
    engine: MoonshineEngine, beckett: bytes, lead: float
) -> None:
    plain = engine.transcribe(segment(beckett)).words
    later = engine.transcribe(segment(silence(lead) + beckett)).words
    assert later[0].text == plain[0].text
    assert later[0].start - plain[0].start == pytest.approx(lead, abs=NEAR)


@pytest.mark.parametrize("offset", [300, 4_000])
def test_offset_of_a_microphone_moves_no_word(
    engine: MoonshineEngine, two_cities: bytes, offset: int
) -> None:
    samples = np.frombuffer(two_cities[: 10 * SECOND], dtype="<i2").astype(np.int32)
    moved = np.clip(samples + offset, -32_768, 32_767).astype("<i2").tobytes()
    plain = engine.transcribe(segment(two_cities[: 10 * SECOND])).words
    heard = engine.transcribe(segment(moved)).words
    assert bare(heard) == bare(plain)
    assert [word.start for word in heard] == pytest.approx([word.start for word in plain], abs=NEAR)


def test_times_are_on_the_clock_of_the_session(engine: MoonshineEngine, beckett: bytes) -> None:
    plain = engine.transcribe(segment(beckett)).words
    later = engine.transcribe(segment(beckett, start=100 * SAMPLE_RATE)).words
    assert [word.start - 100 for word in later] == pytest.approx([word.start for word in plain])


def test_times_change_nothing_of_the_words(engine: MoonshineEngine, two_cities: bytes) -> None:
    """Nor are there any where nobody wants them."""
    for at in range(0, len(two_cities), 14 * SECOND):
        timed = engine.transcribe(segment(two_cities[at : at + 9 * SECOND]))
        plain = engine.transcribe(
            replace(segment(two_cities[at : at + 9 * SECOND]), word_times=False)
        )
        assert timed.words
        assert plain == replace(timed, words=())


def test_words_around_a_loop_have_times_too(
    engine: MoonshineEngine, beckett: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two halves that are heard instead are on the clock of the whole."""
    assert engine._model is not None
    whole = engine.transcribe(segment(beckett)).words
    greedy, asked = engine._model.decoder.greedy, []

    def looping(memory: Any, limit: int, guess: Any = (), *, watch: bool = False) -> Said:
        asked.append(limit)
        said = greedy(memory, limit, guess, watch=watch)
        return replace(said, complete=False) if len(asked) == 1 else said

    monkeypatch.setattr(engine._model.decoder, "greedy", looping)
    heard = engine.transcribe(segment(beckett))
    assert len(asked) == 3
    assert " ".join(word.text for word in heard.words) == heard.text
    assert_in_order(heard.words, 0.0, len(beckett) / SECOND)
    assert [word.start for word in heard.words] == pytest.approx(
        [word.start for word in whole], abs=NEAR
    )


def test_phrase_cut_out_of_a_loop_has_times(
    engine: MoonshineEngine, beckett: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segment that is too short for halves keeps one turn of what goes round."""
    assert engine._model is not None
    short = beckett[SECOND // 2 : SECOND * 3 // 2]
    greedy = engine._model.decoder.greedy

    def looping(memory: Any, limit: int, guess: Any = (), *, watch: bool = False) -> Said:
        said = greedy(memory, 3, guess, watch=watch)
        queries = [np.tile(query, (1, 8, 1)) for query in said.queries]
        return replace(said, tokens=said.tokens * 8, queries=queries, complete=False)

    monkeypatch.setattr(engine._model.decoder, "greedy", looping)
    heard = engine.transcribe(segment(short))
    assert " ".join(word.text for word in heard.words) == heard.text != ""
    assert_in_order(heard.words, 0.0, 1.0)


def test_model_whose_heads_nobody_chose_has_no_times(
    beckett: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other weights have other heads: its times are estimated, and said to be."""
    monkeypatch.setattr(heads, "HEADS", {})
    engine = MoonshineEngine()
    engine.load()
    assert not engine.capabilities.word_times
    heard = engine.transcribe(segment(beckett))
    assert heard.text
    assert heard.words == ()


def test_default_model_is_known_wherever_it_lies(tmp_path: Path, engine: MoonshineEngine) -> None:
    from scripta_transcriber.engines.moonshine import DISTRIBUTION
    from scripta_transcriber.engines.onnx import packaged_path

    assert engine.capabilities.word_times
    for file in packaged_path("moonshine_voice", DISTRIBUTION, "assets/tiny-en").iterdir():
        (tmp_path / file.name).symlink_to(file)
    elsewhere = MoonshineEngine(tmp_path)
    elsewhere.load()
    assert elsewhere.capabilities.word_times


@pytest.mark.parametrize("samples", [1, 100, 895, 2_000, 4_000])
def test_words_of_the_shortest_segments_end_with_them(
    engine: MoonshineEngine, beckett: bytes, samples: int
) -> None:
    heard = engine.transcribe(segment(beckett[SECOND // 2 :][: 2 * samples]))
    assert_in_order(heard.words, 0.0, samples / SAMPLE_RATE)


def test_silence_before_a_word_moves_no_word(engine: MoonshineEngine, two_cities: bytes) -> None:
    """Words that begin with the audio are heard behind silence, which is not on the clock."""
    segment = Segment(16_000, two_cities[: 5 * 32_000], Reason.END)
    known, unknown = (engine.transcribe(replace(segment, lead=lead)) for lead in (0, None))
    assert known.text == unknown.text
    for one, other in zip(known.words, unknown.words, strict=True):
        assert abs(one.start - other.start) < 0.1
        assert abs(one.end - other.end) < 0.1
    assert known.words[0].start >= 1.0
    assert known.words[-1].end <= 6.0
