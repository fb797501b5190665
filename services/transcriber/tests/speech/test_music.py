"""Music, signals and engines have no words, at any level; speech has them, over music too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from distortions import Samples, behind, both, gain, hum, mulaw, telephone
from nonspeech import NOT_SPEECH, made
from recordings import BECKETT_TEXT, word_error_rate

from scripta_common.wire import SAMPLE_RATE, Checkpoint, Entry, Reason
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.engines.moonshine import MoonshineEngine
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter
from scripta_transcriber.segmenter.base import Cut, Segmenter
from scripta_transcriber.segmenter.music import is_music
from scripta_transcriber.segmenter.vad import VoiceDetector

pytestmark = pytest.mark.unit

LogOf = Callable[..., list[Entry]]

SWELLING = ("tone, 4 Hz tremolo", "note, 3 Hz tremolo", "note, 6 Hz tremolo", "engine, hum")
"""What the voice detector takes for speech."""


def segmenter_of(detector: VoiceDetector) -> Segmenter:
    return create_segmenter(
        MoonshineEngine.capabilities, Checkpoint(), SegmenterOptions(), detector
    )


def cuts_of(detector: VoiceDetector, entries: list[Entry]) -> list[Cut]:
    segmenter = segmenter_of(detector)
    return [cut for entry in entries for cut in segmenter.feed(entry)]


def segments(detector: VoiceDetector, entries: list[Entry]) -> list[Segment]:
    return [cut.segment for cut in cuts_of(detector, entries) if cut.segment]


def louder_by(decibels: float, speech: Samples, music: Samples) -> Samples:
    """Returns speech over music that it is so much louder than."""
    spoken, played = (one.astype(np.float64) for one in (speech, np.resize(music, len(speech))))
    share = np.sqrt(np.square(spoken).mean() / np.square(played).mean()) / 10 ** (decibels / 20)
    mixed = spoken + share * played
    return np.round(mixed * (30_000 / np.abs(mixed).max())).astype(np.int16)


@pytest.mark.parametrize("decibels", [0, -20, -40])
@pytest.mark.parametrize("name", SWELLING)
def test_what_swells_like_syllables_is_no_speech(
    detector: VoiceDetector, log_of: LogOf, name: str, decibels: int
):
    """The engine made sentences of it."""
    assert not segments(detector, log_of(gain(decibels)(made(name)).tobytes()))


@pytest.mark.parametrize("change", [mulaw, telephone], ids=["µ-law", "telephone"])
def test_music_on_a_line_is_no_speech(detector: VoiceDetector, log_of: LogOf, change):
    for name in SWELLING[:3]:
        assert not segments(detector, log_of(change(made(name)).tobytes()))


def test_nothing_that_is_no_speech_is_a_segment(detector: VoiceDetector, log_of: LogOf):
    heard = {
        name for name in NOT_SPEECH if segments(detector, log_of(gain(-10)(made(name)).tobytes()))
    }
    assert not heard


def stretches(pcm: bytes, seconds: float) -> Iterator[Samples]:
    samples = np.frombuffer(pcm, dtype="<i2")
    step = round(seconds * SAMPLE_RATE)
    yield from (samples[at : at + step] for at in range(0, len(samples) - step, step))


@pytest.mark.parametrize("seconds", [0.5, 1.0, 4.0])
@pytest.mark.parametrize(
    "change", [gain(0), gain(-40), both(gain(-30), mulaw), telephone, hum(0.05, 0.1)]
)
def test_speech_is_no_music(two_cities: bytes, beckett: bytes, seconds: float, change):
    """Speech changes for at least half of the time, far from what would make it music."""
    for pcm in (two_cities, beckett):
        assert not [one for one in stretches(pcm, seconds) if is_music(change(one))]


@pytest.mark.parametrize("name", ["note, 4 Hz tremolo", "organ", "hold music"])
def test_speech_over_music_keeps_its_words(
    engine: MoonshineEngine, detector: VoiceDetector, beckett: bytes, log_of: LogOf, name: str
):
    said = louder_by(10, np.frombuffer(beckett, dtype="<i2"), made(name))
    heard = " ".join(
        engine.transcribe(one).text for one in segments(detector, log_of(said.tobytes()))
    )
    assert word_error_rate(BECKETT_TEXT, heard) < 0.2, heard


def test_speech_behind_music_is_heard(detector: VoiceDetector, beckett: bytes, log_of: LogOf):
    """Whoever has waited on the line is heard from the first word on."""
    said = np.frombuffer(beckett, dtype="<i2")[: 2 * SAMPLE_RATE]
    music = gain(-10)(made("note, 4 Hz tremolo"))
    heard = segments(detector, log_of(behind(music)(said).tobytes()))
    assert heard
    voiced = len(music) + SAMPLE_RATE // 2
    assert any(one.start < voiced < one.end for one in heard)


def test_quiet_speech_beside_loud_music_is_no_music(beckett: bytes):
    """A frame is measured by what is around it, not by the loudest of the segment."""
    said = gain(-35)(np.frombuffer(beckett, dtype="<i2")[: 2 * SAMPLE_RATE])
    assert not is_music(behind(made("note, 4 Hz tremolo"))(said))


@pytest.mark.parametrize("samples", [0, 1, 512, 1024, 2047, 2048])
def test_what_is_too_short_to_be_judged_is_no_music(samples: int):
    assert not is_music(made("organ")[:samples])
    assert not is_music(np.zeros(samples, dtype=np.int16))


def test_music_has_no_interims(detector: VoiceDetector, log_of: LogOf):
    """An interim of it would stand on the client's page, and no final would ever follow."""
    for name in SWELLING:
        segmenter = segmenter_of(detector)
        for entry in log_of(gain(-10)(made(name)).tobytes()):
            segmenter.feed(entry)
            heard = segmenter.open_segment()
            # The first interim is of half a second.
            assert heard is None or heard.seconds < 0.5


def test_finalize_in_music_is_answered_with_nothing(detector: VoiceDetector, log_of: LogOf):
    music = gain(-10)(made("note, 6 Hz tremolo"))
    entries = log_of(music.tobytes(), finalize_at=[3 * SAMPLE_RATE])
    answers = [one for one in segments(detector, entries) if one.reason is Reason.FINALIZE]
    assert [one.pcm for one in answers] == [b""]


def test_replay_behind_music_cuts_at_the_same_places(
    detector: VoiceDetector, beckett: bytes, log_of: LogOf
):
    """Where music was passed, a checkpoint is: the next transcriber goes on from there."""
    music = gain(-10)(made("tone, 4 Hz tremolo"))
    entries = log_of(behind(music)(np.frombuffer(beckett, dtype="<i2")).tobytes())
    cuts = cuts_of(detector, entries)
    assert cuts[0].segment is None
    for done, cut in enumerate(cuts[:-1], start=1):
        segmenter = create_segmenter(
            MoonshineEngine.capabilities, cut.checkpoint, SegmenterOptions(), detector
        )
        rest = [entry for entry in entries if entry.seq > cut.checkpoint.seq]
        again = [later for entry in rest for later in segmenter.feed(entry)]
        assert again == cuts[done:]
