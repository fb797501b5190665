"""Files and live streams of every kind give the speech that is in them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from joined import joined

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError

pytestmark = pytest.mark.unit

OTHERS = [
    "aac", "mp2", "ac3", "aiff", "aiff_stereo", "aifc_sowt", "au", "au_mulaw_live", "wave64",
    "rf64", "wav_mp3", "wav_g722", "mov_pcm", "mov_ima",
    "caf", "mp4_alac", "amr", "3gp_amr", "loas", "webm_stereo_live", "webm_vorbis_live",
    "ts_aac", "ts_mp3", "m2ts_ac3",
]  # fmt: skip
"""Kinds whose pieces are tested in one size only: they share their readers with others."""
ALL = [
    "wav", "wav24_44k_stereo", "wav8_8k", "wavf32_48k", "wav_mulaw", "wav_adpcm", "wav_live",
    "flac", "flac_44k_stereo", "flac_live", "ogg_opus", "ogg_opus_live", "ogg_vorbis",
    "webm", "webm_live", "mp3", "mp3_16k_live",
    "m4a_index_last", "m4a_index_first", "m4a_fragmented",
    *OTHERS,
]  # fmt: skip
LOSSLESS = {
    *("wav", "wav_live", "flac", "flac_live", "aiff", "aifc_sowt", "au", "wave64", "rf64"),
    *("mov_pcm", "caf", "mp4_alac"),
}
STEREO = {
    "aiff_stereo",
    "webm_stereo_live",
    "webm_vorbis_live",
    "wav24_44k_stereo",
    "flac_44k_stereo",
    "ogg_vorbis",
    "mp3",
    "m4a_index_first",
}
NARROW = {"amr", "3gp_amr", "wav8_8k", "wav_mulaw", "au_mulaw_live"}
LATE = {
    kind
    for kind in ALL
    if any(word in kind for word in ("mp3", "m4a", "aac", "mp2", "loas", "ts_"))
}
"""Kinds whose encoders begin with silence, of which not all is told."""
OPEN = {kind for kind in ALL if any(word in kind for word in ("mp3", "live", "fragmented"))}
OPEN |= {"amr", "aac", "mp2", "ac3", "aiff_stereo", "loas", "ts_aac", "m2ts_ac3"}
ENDING = [kind for kind in ALL if kind not in OPEN]
"""Kinds whose bytes say where they end."""


def test_every_kind_is_tested(kinds: list[str]) -> None:
    assert sorted(kinds) == sorted(ALL)


@pytest.mark.parametrize("kind", ALL)
async def test_a_file_in_one_message_gives_its_speech(
    kind: str, encoded: Callable[..., Any], decode: Any, likeness: Any, speech: Any
) -> None:
    pcm = (await decode([encoded(kind).data])).all
    if kind in LOSSLESS:
        assert pcm == speech.tobytes()
        return
    correlation, shift = likeness(pcm, speech)
    assert correlation > (0.6 if "amr" in kind else 0.95 if kind in NARROW else 0.97)
    assert abs(shift) < 16000 * (0.08 if kind in LATE else 0.01)
    assert 0 <= len(pcm) / 32000 - len(speech) / 16000 < 0.15
    if "amr" in kind:
        return
    level = np.frombuffer(pcm, "<i2").astype(float).std() / speech.astype(float).std()
    # The mixer that made the stereo files keeps the power, not the level.
    assert 0.9 < level * (2**0.5 if kind in STEREO else 1) < 1.1


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (kind, size)
        for kind in ALL
        for size in (1, 7, 333, 4096)
        if kind not in OTHERS or size == 333
    ],
)
async def test_pieces_of_any_size_give_the_same_as_one(
    kind: str, size: int, encoded: Callable[..., Any], decode: Any, pieces: Any
) -> None:
    data = encoded(kind).data
    if size < 100 and kind.startswith(("wav", "flac")):
        data = data[:12000]
    assert (await decode(pieces(data, size))).all == (await decode([data])).all


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind not in OTHERS])
@pytest.mark.parametrize("seed", range(3))
async def test_random_pieces_give_the_same_as_one(
    kind: str, seed: int, encoded: Callable[..., Any], decode: Any
) -> None:
    data, rnd = encoded(kind).data, random.Random(seed)
    cuts = sorted(rnd.sample(range(1, len(data)), 20))
    messages = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert (await decode(messages)).all == (await decode([data])).all


@pytest.mark.parametrize("kind", ENDING)
async def test_the_message_that_ends_a_file_gives_all_of_it(
    kind: str, encoded: Callable[..., Any], decode: Any
) -> None:
    """An upload must not keep its last words until the next message."""
    result = await decode([encoded(kind).data])
    assert result.paused + result.end == b""


@pytest.mark.parametrize("kind", ["mp3", "mp3_16k_live", "webm_live", "flac_live"])
async def test_a_pause_gives_what_a_stream_without_an_end_holds(
    kind: str, encoded: Callable[..., Any], decode: Any
) -> None:
    result = await decode([encoded(kind).data])
    assert result.end == b""


@pytest.mark.parametrize("kind", ["mp3", "webm_live", "flac_live", "ogg_opus_live", "wav_live"])
async def test_a_stream_goes_on_after_a_pause_anywhere(
    kind: str, encoded: Callable[..., Any], budget: StreamBudget, likeness: Any, speech: Any
) -> None:
    data = encoded(kind).data
    for part in (0.31, 0.5, 0.77):
        cut = int(len(data) * part)
        decoder = AudioDecoder(AudioFormat(), budget=budget)
        pcm = await joined(decoder.feed(data[:cut])) + await joined(decoder.flush())
        pcm += await joined(decoder.feed(data[cut:])) + await joined(decoder.flush(end=True))
        await decoder.close()
        correlation, _ = likeness(pcm, speech)
        assert correlation > 0.97
        assert abs(len(pcm) / 32000 - len(speech) / 16000) < 0.15


@pytest.mark.parametrize(
    ("kind", "most_bytes"),
    [
        ("webm_live", 1200),
        ("ogg_opus_live", 800),
        ("mp3_16k_live", 800),
        ("m4a_fragmented", 2000),
        ("flac_live", 12_000),
        ("wav_live", 1000),
    ],
)
async def test_live_streams_give_audio_from_their_first_packets(
    kind: str, most_bytes: int, encoded: Callable[..., Any], budget: StreamBudget
) -> None:
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    fed, pcm = 0, b""
    for part in encoded(kind).parts:
        fed += len(part)
        pcm += await joined(decoder.feed(part))
        if pcm:
            break
    await decoder.close()
    assert pcm
    assert fed <= most_bytes


@pytest.mark.parametrize("first", [kind for kind in ALL if kind not in OTHERS])
@pytest.mark.parametrize("second", ["wav", "webm_live", "m4a_index_last"])
async def test_a_magic_starts_a_new_file(
    first: str, second: str, encoded: Callable[..., Any], decode: Any
) -> None:
    one, two = encoded(first).data, encoded(second).data
    apart = (await decode([one])).all + (await decode([two])).all
    assert (await decode([one, two])).all == apart


@pytest.mark.parametrize("kind", ["ogg_opus", "wav", "webm", "m4a_index_first"])
async def test_files_joined_in_one_message_are_all_decoded(
    kind: str, encoded: Callable[..., Any], decode: Any, pieces: Any
) -> None:
    data = encoded(kind).data
    one = (await decode([data])).all
    assert (await decode([data + data])).all == one + one
    assert (await decode(pieces(data + data, 777))).all == one + one


@pytest.mark.parametrize("kind", ["mp3", "mp3_16k_live", "aac"])
async def test_raw_audio_does_not_follow_a_stream_that_has_no_end(
    kind: str, encoded: Callable[..., Any], budget: StreamBudget, speech: Any
) -> None:
    """It may as well be damage, which was heard as noise."""
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    await joined(decoder.feed(encoded(kind).data))
    with pytest.raises(AudioError, match="does not go on with the"):
        await joined(decoder.feed(speech.tobytes()[20000:30000]))
    assert await joined(decoder.feed(encoded(kind).data))
    await decoder.close()


@pytest.mark.parametrize("kind", ENDING)
async def test_raw_audio_follows_a_file_that_ended(
    kind: str, encoded: Callable[..., Any], decode: Any, speech: Any
) -> None:
    data, raw = encoded(kind).data, speech.tobytes()[20000:30000]
    file = (await decode([data])).all
    assert (await decode([data, raw])).all == file + raw


async def test_a_file_follows_raw_audio(
    encoded: Callable[..., Any], decode: Any, speech: Any
) -> None:
    raw = speech.tobytes()[20000:30001]
    result = await decode([raw, encoded("flac").data, raw])
    assert result.all == raw[:-1] + speech.tobytes() + raw[:-1]


async def test_mp3_tags_are_stepped_over(
    encoded: Callable[..., Any], decode: Any, pieces: Any
) -> None:
    data = encoded("mp3").data
    cover = b"ID3\x04\x00\x00" + bytes([0, 5, 0, 0]) + b"\xff\xfb\x90\x00" * (5 << 12)
    tagged = cover + data + b"TAG" + b"x" * 125
    want = (await decode([data])).all
    assert (await decode([tagged])).all == want
    assert (await decode(pieces(tagged, 1000))).all == want


async def test_wav_trailers_are_not_audio(
    encoded: Callable[..., Any], decode: Any, pieces: Any, speech: Any
) -> None:
    data = bytearray(encoded("wav").data + b"LIST\x06\x00\x00\x00artist")
    data[4:8] = (len(data) - 8).to_bytes(4, "little")
    assert (await decode([bytes(data)])).all == speech.tobytes()
    assert (await decode(pieces(bytes(data), 1001))).all == speech.tobytes()
