"""Keyterms in the whisper engine, on real speech and on sound that is no speech."""

from __future__ import annotations

from dataclasses import replace

import nonspeech
import numpy as np
import pytest
from recordings import SHARED, WHY_NOT_SHARED, shared

from scripta_common.wire import Checkpoint, Entry, EntryKind, Reason
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.engines.whisper import WhisperEngine
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter
from scripta_transcriber.segmenter.vad import VoiceDetector

pytestmark = pytest.mark.unit

STRANGE = ("Valkey", "Kubernetes", "Zyntriqix", "Mountain View")


def segment(pcm: bytes, *keyterms: str) -> Segment:
    return Segment(0, pcm, Reason.ENDPOINT, language="en", word_times=False, keyterms=keyterms)


@pytest.mark.skipif(not (SHARED / "manifest.jsonl").is_file(), reason=WHY_NOT_SHARED)
def test_a_rare_name_is_spelled_as_its_term_and_strange_terms_change_nothing(
    whisper_base: WhisperEngine,
) -> None:
    said = segment(shared("en_ls_84-121550-0002.wav").pcm)
    plain = whisper_base.transcribe(said)
    assert "Proserpina" not in plain.text
    named = whisper_base.transcribe(replace(said, keyterms=("Proserpina", *STRANGE)))
    assert "Proserpina" in named.text
    assert whisper_base.transcribe(replace(said, keyterms=STRANGE)) == plain


@pytest.mark.parametrize("terms", [("Proserpina",), STRANGE])
def test_terms_put_no_words_into_sound_that_is_no_speech(
    whisper_base: WhisperEngine, terms: tuple[str, ...]
) -> None:
    """Guards Whisper's habit to say its prompt where it hears nothing."""
    noise = np.random.default_rng(1).normal(0, 300, 64_000).astype("<i2").tobytes()
    music = (8_000 * nonspeech.chord()[:64_000]).astype("<i2").tobytes()
    for sound in (noise, music, bytes(128_000)):
        without = whisper_base.transcribe(segment(sound))
        assert whisper_base.transcribe(segment(sound, *terms)) == without


def test_segments_carry_the_sessions_terms(
    whisper_base: WhisperEngine, detector: VoiceDetector, beckett: bytes
) -> None:
    """Guards terms that are asked for, and stay behind where segments are made."""
    assert whisper_base.capabilities.keyterms
    options = SegmenterOptions(keyterms=STRANGE)
    segmenter = create_segmenter(whisper_base.capabilities, Checkpoint(), options, detector)
    cuts = segmenter.feed(Entry(1, EntryKind.AUDIO, 0, beckett))
    cuts += segmenter.feed(Entry(2, EntryKind.END, len(beckett) // 2))
    assert {cut.segment.keyterms for cut in cuts if cut.segment} == {STRANGE}
