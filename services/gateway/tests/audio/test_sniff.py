"""A message's first bytes tell what it is; raw audio is never taken for a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripta_gateway.audio.sniff import Kind, begins_file, sniff

pytestmark = pytest.mark.unit

WANTED = {
    "wav": Kind.WAV,
    "wav_live": Kind.WAV,
    "flac": Kind.FLAC,
    "ogg_opus": Kind.OGG,
    "webm_live": Kind.WEBM,
    "mp3": Kind.MP3,
    "mp3_16k_live": Kind.MP3,
    "m4a_index_last": Kind.MP4,
}


@pytest.mark.parametrize("kind", WANTED)
def test_files_are_recognised(encoded: Callable[[str], Any], kind: str) -> None:
    assert sniff(encoded(kind).data) is WANTED[kind]


@pytest.mark.parametrize("kind", WANTED)
def test_too_few_bytes_are_undecided_and_never_raw(
    encoded: Callable[[str], Any], kind: str
) -> None:
    data = encoded(kind).data
    for size in range(1, 1500):
        assert sniff(data[:size]) in (None, WANTED[kind])


def test_bare_mpeg_frames_need_two_headers_that_line_up(encoded: Callable[[str], Any]) -> None:
    data = encoded("mp3_16k_live").data
    frames = data[data.index(b"\xff\xf3") :]
    assert sniff(frames[:600]) is Kind.MP3
    assert sniff(frames[:4] + bytes(2000)) is Kind.RAW


def test_speech_is_raw_at_any_offset(speech: Any) -> None:
    data = speech.tobytes()
    for at in range(0, 60_000, 61):
        assert sniff(data[at : at + 3000]) in (None, Kind.RAW)
        assert begins_file(data[at : at + 3000]) is None


def test_digital_silence_is_raw() -> None:
    assert sniff(bytes(8)) is Kind.RAW


@given(st.binary(min_size=1500, max_size=1500))
def test_long_messages_are_always_decided(data: bytes) -> None:
    assert sniff(data * 22) is not None


def test_later_messages_begin_a_file_only_with_a_magic(encoded: Callable[[str], Any]) -> None:
    ogg = encoded("ogg_opus").data
    second_page = ogg.index(b"OggS", 4)
    third_page = ogg.index(b"OggS", second_page + 4)
    assert begins_file(ogg) is Kind.OGG
    assert begins_file(ogg[third_page:]) is None
    frames = encoded("mp3_16k_live").data
    assert begins_file(frames[frames.index(b"\xff\xf3") :]) is None
