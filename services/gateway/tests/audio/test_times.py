"""The times in a container are times of the audio: what is not there is silence."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from joined import joined

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.bounds import MAX_GAP_SECONDS, Bound
from scripta_gateway.telemetry.metrics import BOUNDS_HIT

pytestmark = pytest.mark.unit

Samples = np.ndarray[Any, np.dtype[np.int16]]
Moved = Callable[[float], float | None]
"""Returns the time of a packet in the container, ``None`` for one that is lost."""
GAP = (2.0, 5.0)
FRAGMENTS = "frag_every_frame+empty_moov+default_base_moof"


@dataclass(frozen=True)
class Kind:
    """How a file is made; ``edge`` is the length of its packets and of what they overlap."""

    form: str
    codec: str
    rate: int = 48_000
    options: dict[str, str] = field(default_factory=dict)
    edge: float = 0.03
    video: bool = False


LIVE_WEBM = Kind("webm", "libopus", options={"live": "1", "cluster_time_limit": "100"})
OGG = Kind("ogg", "libopus", options={"page_duration": "20000"})
KINDS = {
    "webm_live": LIVE_WEBM,
    "webm": Kind("webm", "libopus"),
    "matroska_aac": Kind("matroska", "aac", edge=0.05),
    "matroska_flac": Kind("matroska", "flac", edge=0.11),
    "matroska_pcm": Kind("matroska", "pcm_s16le"),
    "ogg_opus": OGG,
    "ogg_vorbis": Kind("ogg", "vorbis", options={"page_duration": "20000"}, edge=0.05),
    "mp4_fragmented": Kind("mp4", "aac", 16_000, {"movflags": FRAGMENTS}, edge=0.14),
    "mp4_fragments_of_half_a_second": Kind(
        "mp4",
        "aac",
        options={"movflags": "empty_moov+default_base_moof", "frag_duration": "500000"},
        edge=0.05,
    ),
    "mp4_index_first": Kind("mp4", "aac", options={"movflags": "faststart"}, edge=0.05),
    "mp4_index_last": Kind("mp4", "aac", edge=0.05),
    "mpegts_aac": Kind("mpegts", "aac", edge=0.05),
    "mpegts_mp3": Kind("mpegts", "libmp3lame", edge=0.1),
    "mpegts_ac3": Kind("mpegts", "ac3", edge=0.07),
}


def made(kind: Kind, samples: Samples, moved: Moved) -> bytes:
    """Returns speech as a file in which packets are moved or missing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        with av.open(str(path), "w", format=kind.form, options=dict(kind.options)) as out:
            stream = out.add_stream(kind.codec, rate=kind.rate, options={"strict": "experimental"})
            stream.layout = "stereo" if kind.codec == "vorbis" else "mono"
            pictures = out.add_stream("mpeg4", rate=5) if kind.video else None
            if pictures is not None:
                pictures.width, pictures.height, pictures.pix_fmt = 32, 32, "yuv420p"
            packets = list(encoded(stream, samples, kind.rate))
            for packet in packets:
                time = moved(float(packet.pts * packet.time_base))
                if time is not None:
                    packet.pts = packet.dts = round(time / packet.time_base)
                    out.mux(packet)
            if pictures is not None:
                for _ in range(20):
                    out.mux(pictures.encode(av.VideoFrame(32, 32, "yuv420p")))
                out.mux(pictures.encode(None))
        return path.read_bytes()


def encoded(stream: Any, samples: Samples, rate: int) -> Iterator[Any]:
    """Yields packets with the times of the samples in them."""
    resampler = av.AudioResampler(stream.codec_context.format or "s16", stream.layout, rate)
    for at in range(0, len(samples), 320):
        frame = av.AudioFrame.from_ndarray(samples[None, at : at + 320].copy(), "s16", "mono")
        frame.sample_rate, frame.pts = 16_000, at
        for part in resampler.resample(frame):
            yield from stream.encode(part)
    for part in resampler.resample(None):
        yield from stream.encode(part)
    yield from stream.encode(None)


def muted(start: float = 0.0) -> Moved:
    """Returns what leaves the packets of ``GAP`` out, and begins later."""
    return lambda time: None if GAP[0] <= time < GAP[1] else time + start


@pytest.fixture(scope="session")
def long_speech(speech: Samples) -> Samples:
    return np.concatenate([speech, speech, speech])[: 8 * 16_000]


@pytest.fixture
def silenced(long_speech: Samples) -> Samples:
    samples = long_speech.copy()
    samples[round(GAP[0] * 16_000) : round(GAP[1] * 16_000)] = 0
    return samples


def placed(pcm: bytes, want: Samples, edge: float, likeness: Any) -> None:
    """Checks that what lies before and behind the gap is where it belongs, to 10 ms or so."""
    got = np.frombuffer(pcm, "<i2")
    middle = round(3.5 * 16_000)
    for part in (slice(0, middle), slice(middle, None)):
        correlation, shift = likeness(got[part].tobytes(), want[part])
        assert correlation > 0.94
        assert abs(shift) < 16_000 * 0.07
    quiet = got[round((GAP[0] + 2 * edge) * 16_000) : round((GAP[1] - edge) * 16_000)]
    assert np.abs(quiet).max() < 200
    assert abs(len(got) - len(want)) < 16_000 * 0.1


@pytest.mark.parametrize("start", [0.0, 3000.0])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_gap_in_the_times_is_silence(
    kind: str, start: float, decode: Any, long_speech: Samples, silenced: Samples, likeness: Any
) -> None:
    """Guards the times of all words behind a pause of a muted track."""
    data = made(KINDS[kind], long_speech, muted(start))
    placed((await decode([data])).all, silenced, KINDS[kind].edge, likeness)


@pytest.mark.parametrize("kind", ["mpegts_aac", "mpegts_mp3"])
@pytest.mark.parametrize("before", [1.0, 3.5, 6.0])
async def test_a_gap_is_found_where_the_times_begin_again(
    kind: str, before: float, decode: Any, long_speech: Samples, silenced: Samples, likeness: Any
) -> None:
    """Guards transport streams that run for days: their times have 33 bits, which is 26 hours."""
    start = (1 << 33) / 90_000 - before - 1.4  # libavformat adds 1.4 s
    data = made(KINDS[kind], long_speech, muted(start))
    placed((await decode([data])).all, silenced, KINDS[kind].edge, likeness)


@pytest.mark.parametrize("kind", ["mpegts_aac", "mpegts_mp3"])
async def test_lost_packets_of_a_transport_stream_are_silence(
    kind: str, decode: Any, long_speech: Samples, likeness: Any
) -> None:
    """Guards the times behind a radio's bad reception."""
    data = made(KINDS[kind], long_speech, lambda time: time)
    packets = [data[at : at + 188] for at in range(0, len(data), 188)]
    third = len(packets) // 3
    pcm = (await decode([b"".join(packets[:third] + packets[2 * third :])])).all
    assert abs(len(pcm) / 32_000 - len(long_speech) / 16_000) < 0.15
    tail = long_speech[6 * 16_000 :]
    correlation, shift = likeness(pcm[6 * 32_000 :], tail)
    assert correlation > 0.94
    assert abs(shift) < 16_000 * 0.1


@pytest.mark.parametrize("kind", ["webm_live", "mp4_fragmented", "ogg_opus", "mpegts_aac"])
@pytest.mark.parametrize("size", [61, 4096])
async def test_pieces_of_any_size_give_the_same_silence(
    kind: str, size: int, decode: Any, pieces: Any, long_speech: Samples
) -> None:
    data = made(KINDS[kind], long_speech, muted())
    assert (await decode(pieces(data, size))).all == (await decode([data])).all


@pytest.mark.parametrize("page_ms", [20, 200, 1000])
@pytest.mark.parametrize("codec", ["libopus", "vorbis", "flac"])
async def test_lost_pages_of_ogg_are_silence(
    codec: str, page_ms: int, decode: Any, long_speech: Samples, silenced: Samples, likeness: Any
) -> None:
    options = {"page_duration": str(page_ms * 1000)}
    data = made(replace(OGG, codec=codec, options=options), long_speech, lambda time: time)
    kept = b"".join(page for page, end in pages(data) if not GAP[0] + 0.02 < end <= GAP[1] + 0.02)
    edge = page_ms / 1000 + 0.1
    pcm = (await decode([kept])).all
    got = np.frombuffer(pcm, "<i2")
    behind = slice(round((GAP[1] + edge) * 16_000), None)
    correlation, shift = likeness(got[behind].tobytes(), silenced[behind])
    assert correlation > 0.94
    assert abs(shift) < 16_000 * 0.07


def pages(data: bytes) -> Iterator[tuple[bytes, float]]:
    """Yields the pages of an Ogg file and the time at which each ends."""
    at = 0
    while at < len(data):
        segments = data[at + 26]
        size = 27 + segments + sum(data[at + 27 : at + 27 + segments])
        (samples,) = struct.unpack_from("<q", data, at + 6)
        yield data[at : at + size], samples / 48_000
        at += size


@pytest.mark.parametrize("kind", ["webm_live", "mp4_fragmented"])
async def test_a_damaged_packet_leaves_the_times_of_the_others(
    kind: str, decode: Any, long_speech: Samples, likeness: Any
) -> None:
    """Guards against seconds that vanish where a decoder drops what it can not read."""
    whole = made(KINDS[kind], long_speech, lambda time: time)
    lost = made(
        KINDS[kind], long_speech, lambda time: None if 2 < time < 4 and time % 0.5 < 0.25 else time
    )
    got, want = (await decode([lost])).all, (await decode([whole])).all
    assert abs(len(got) - len(want)) < 3200
    tail = np.frombuffer(want, "<i2")[4 * 16_000 :]
    _, shift = likeness(got[4 * 32_000 :], tail)
    assert abs(shift) < 2000


async def test_flac_in_ogg_that_is_joined_late_begins_at_once(
    decode: Any, long_speech: Samples, likeness: Any
) -> None:
    """Guards radio streams: libavformat gives their first page the time 0."""
    kind = Kind("ogg", "flac", options={"page_duration": "200000"})
    data = made(kind, long_speech, lambda time: time)
    headers = [page for page, end in pages(data) if end == 0]
    kept = headers + [page for page, end in pages(data) if end > 2.2]
    pcm = (await decode([b"".join(kept)])).all
    assert 5.5 < len(pcm) / 32_000 <= 6
    correlation, shift = likeness(pcm, long_speech[-len(pcm) // 2 :])
    assert correlation > 0.94
    assert abs(shift) < 1600


async def test_times_begin_with_the_first_audio_not_with_a_picture(
    decode: Any, long_speech: Samples
) -> None:
    kind = Kind("matroska", "libopus", video=True)
    late = (await decode([made(kind, long_speech, lambda time: time + 2)])).all
    assert late == (await decode([made(kind, long_speech, lambda time: time)])).all


@pytest.mark.parametrize("kind", ["webm_live", "mp4_fragmented", "ogg_opus", "mpegts_aac"])
async def test_jitter_changes_no_sample(kind: str, decode: Any, long_speech: Samples) -> None:
    """Guards against a click in each message of a browser, whose times are some ms off."""
    rnd, last = np.random.default_rng(5), -1.0

    def jittered(time: float) -> float:
        nonlocal last
        last = max(last + 0.001, time + 0.05 + rnd.uniform(-0.04, 0.04))
        return last

    data = made(KINDS[kind], long_speech, jittered)
    steady = made(KINDS[kind], long_speech, lambda time: time)
    got, want = (await decode([data])).all, (await decode([steady])).all
    # The time of the last page of Ogg says where to cut the audio off.
    assert got[: 7 * 32_000] == want[: 7 * 32_000]
    assert abs(len(got) - len(want)) < 0.1 * 32_000


async def test_opus_that_sends_nothing_in_silence_keeps_its_times(
    decode: Any, long_speech: Samples, likeness: Any
) -> None:
    """Guards the times of recorders that leave packets of discontinuous transmission out."""
    number = 0

    def now_and_then(time: float) -> float | None:
        nonlocal number
        number += 1
        return None if GAP[0] <= time < GAP[1] and number % 20 else time

    quiet = long_speech.copy()
    quiet[round(GAP[0] * 16_000) : round(GAP[1] * 16_000)] = 0
    placed(
        (await decode([made(LIVE_WEBM, quiet, now_and_then)])).all, quiet, LIVE_WEBM.edge, likeness
    )


async def test_a_clock_that_was_set_makes_no_hours_of_silence(
    decode: Any, long_speech: Samples
) -> None:
    """Guards the broker against one packet that says that it is from tomorrow."""
    before = BOUNDS_HIT[Bound.GAP_SECONDS].value
    data = made(LIVE_WEBM, long_speech, lambda time: time if time < 3 else time + 86_400)
    pcm = (await decode([data])).all
    assert pcm == (await decode([made(LIVE_WEBM, long_speech, lambda time: time)])).all
    assert BOUNDS_HIT[Bound.GAP_SECONDS].value == before + 1


async def test_the_longest_silence_comes_in_slices(
    budget: StreamBudget, long_speech: Samples
) -> None:
    data = made(LIVE_WEBM, long_speech, lambda time: time if time < 3 else time + 590)
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    sizes = [len(pcm) async for pcm in decoder.feed(data)]
    rest = await joined(decoder.flush(end=True))
    await decoder.close()
    assert max(sizes) <= 2 * 32_000
    assert abs((sum(sizes) + len(rest)) / 32_000 - 598) < 0.1
    assert MAX_GAP_SECONDS > 590
