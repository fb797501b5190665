"""What is not heard is refused by its name, and never taken for raw audio."""

from __future__ import annotations

import base64
import json
import random
import struct
import wave
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joined import joined

from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.foreign import Foreign, interrupts_raw
from scripta_gateway.audio.sniff import Kind, begins_file, sniff

pytestmark = pytest.mark.unit

SHARED = Path(__file__).parents[5] / "shared/speech"
REST = np.random.default_rng(3).bytes(3000)

SOUND = {
    "wma": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + REST,
    "wavpack": b"wvpk" + bytes(4) + b"\x07\x04" + REST,
    "tta": b"TTA1\1\0" + REST,
    "monkey's audio": b"MAC \x96\x0f" + REST,
    "musepack": b"MPCKSH" + REST,
    "dsf": b"DSD \x1c" + bytes(23),
    "dsdiff": b"FRM8" + bytes(8) + b"DSD " + REST,
    "voc": b"Creative Voice File\x1a\x1a\0" + REST,
    "realmedia": b".RMF\0\0\0\x12" + REST,
    "flv": b"FLV\x01\x04\0\0\0\x09" + REST,
    "avi": b"RIFF\0\1\0\0AVI LIST" + REST,
    "aac in adif": b"ADIF" + REST,
    "silk": b"\x02#!SILK_V3" + REST,
    "ilbc": b"#!iLBC20\n" + REST,
    "dss": b"\x02dss" + REST,
    "nist sphere": b"NIST_1A\n   1024\n" + REST,
    "8svx": b"FORM\0\0\1\0" + b"8SVX" + REST,
    "mpeg program stream": b"\0\0\1\xba\x44" + REST,
}
PROSE = "The quick brown fox, who had 3 tails, jumped over the lazy dog. " * 20
NO_SOUND = {
    "html": b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head></html>",
    "xml": b'<?xml version="1.0"?><feed>' + PROSE.encode(),
    "json": json.dumps({"config": {"sample_rate": 16000}}).encode(),
    "a pdf file": b"%PDF-1.7\n" + REST,
    "a zip file": b"PK\3\4\x14\0\0\0" + REST,
    "a png picture": b"\x89PNG\r\n\x1a\n" + REST,
    "a jpeg picture": b"\xff\xd8\xff\xe0\0\x10JFIF\0" + REST,
    "a gif picture": b"GIF89a" + REST,
    "a webp picture": b"RIFF\0\1\0\0WEBPVP8 " + REST,
    "a picture": b"\0\0\0\x18ftypheic" + REST,
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + zlib.compress(REST),
    "a program": b"\x7fELF\2\1\1\0" + REST,
    "a midi file": b"MThd\0\0\0\6\0\1\0\2" + REST,
    "a numpy file": b"\x93NUMPY\1\0" + REST,
    "an http message": b"POST /v1/listen HTTP/1.1\r\nHost: example.org\r\n\r\n" + REST,
    "sdp": b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n",
    "a playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n",
    "a data url": b"data:audio/webm;base64,GkXfo59ChoEB",
    "text": PROSE.encode(),
    "text of other letters": ("Съешь ещё этих мягких французских булок. " * 20).encode(),
    "text in base64": base64.b64encode(REST),
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_that_is_not_supported_is_called_by_its_name(name: str) -> None:
    found = sniff(SOUND[name])
    assert isinstance(found, Foreign)
    assert name in str(found.error())
    assert "audio is not supported; send WebM, Ogg" in str(found.error())


@pytest.mark.parametrize("name", NO_SOUND)
def test_what_is_no_sound_is_called_by_its_name(name: str) -> None:
    found = sniff(NO_SOUND[name])
    assert isinstance(found, Foreign)
    assert name.split(" of ")[0].split(" in ")[0] in str(found.error())
    assert "which is not audio; send WebM, Ogg" in str(found.error())


@pytest.mark.parametrize("name", [name for name in SOUND | NO_SOUND if "text" not in name])
def test_a_start_in_small_pieces_is_never_taken_for_samples(name: str) -> None:
    data = (SOUND | NO_SOUND)[name]
    whole = sniff(data)
    for size in range(2, min(len(data), 60)):
        found = sniff(data[:size])
        assert found in (None, whole) or found.name == whole.name, size  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["wma", "flv", "a png picture", "a zip file", "text"])
async def test_the_rest_of_what_is_not_heard_is_refused_too(name: str) -> None:
    """The rest of a refused file was heard as raw audio: words were invented."""
    decoder = AudioDecoder(AudioFormat())
    for message in ((SOUND | NO_SOUND)[name], REST, REST[:1000], bytes(3200)):
        with pytest.raises(AudioError, match=name):
            await joined(decoder.feed(message))
    assert await joined(decoder.feed(wav(b"\1\2" * 50))) == b"\1\2" * 50
    await decoder.close()


async def test_json_as_a_binary_message_costs_only_itself() -> None:
    decoder = AudioDecoder(AudioFormat())
    command = b'{"type": "finalize"}'
    with pytest.raises(AudioError, match="it is json"):
        await joined(decoder.feed(command))
    assert await joined(decoder.feed(b"\1\2" * 500)) == b"\1\2" * 500
    with pytest.raises(AudioError, match="it is json"):
        await joined(decoder.feed(command))
    assert await joined(decoder.feed(b"\1\2" * 500)) == b"\1\2" * 500
    await decoder.close()


async def test_declared_samples_are_never_looked_at() -> None:
    decoder = AudioDecoder(AudioFormat("linear16"))
    for data in (*SOUND.values(), *NO_SOUND.values()):
        even = data[: len(data) & ~1]
        assert await joined(decoder.feed(even)) == even


def wav(pcm: bytes) -> bytes:
    layout = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    head = b"WAVEfmt \x10\0\0\0" + layout + b"data" + struct.pack("<I", len(pcm))
    return b"RIFF" + struct.pack("<I", len(head) + len(pcm)) + head + pcm


def mulaw(samples: np.ndarray[Any, Any]) -> bytes:
    """Returns samples as mu-law, as telephones send it."""
    clipped = np.minimum(np.abs(samples.astype(np.int32)), 32_635) + 132
    exponent = np.floor(np.log2(clipped)).astype(np.int32) - 7
    mantissa = clipped >> exponent + 3 & 15
    sign = np.where(samples < 0, 128, 0)
    return bytes((~(sign | exponent << 4 | mantissa) & 255).astype(np.uint8))


def recordings() -> Iterator[np.ndarray[Any, Any]]:
    for path in sorted(SHARED.glob("*.wav")):
        with wave.open(str(path)) as file:
            yield np.frombuffer(file.readframes(file.getnframes()), "<i2")


def as_raw(samples: np.ndarray[Any, Any]) -> Iterator[bytes]:
    """Yields samples as clients send them raw: right, loud, with an offset, and by mistake."""
    yield samples.tobytes()
    yield np.clip(samples * 8.0, -32768, 32767).astype("<i2").tobytes()
    yield np.clip(samples.astype(np.int32) - 9000, -32768, 32767).astype("<i2").tobytes()
    yield np.clip(samples.astype(np.int32) + 12_000, -32768, 32767).astype("<i2").tobytes()
    yield mulaw(samples)
    yield mulaw(np.clip(samples.astype(np.int32) - 3000, -32768, 32767).astype("<i2"))
    yield (samples.astype("<f4") / 32768).tobytes()


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared recordings")
def test_no_recording_is_taken_for_anything_else_wherever_it_begins() -> None:
    dice = random.Random(5)
    for samples in recordings():
        for data in as_raw(samples):
            for _ in range(12):
                at, size = dice.randrange(len(data)), dice.choice((20, 64, 256, 640, 3200, 33_000))
                head = data[at : at + size]
                assert sniff(head) in (None, Kind.RAW)
                assert begins_file(head) is None
                assert interrupts_raw(head) is None


def test_speech_is_raw_at_any_offset_and_any_loudness(speech: Any) -> None:
    for data in as_raw(speech):
        for at in range(0, len(data) - 700, 701):
            assert sniff(data[at : at + 700]) in (None, Kind.RAW)
            assert interrupts_raw(data[at : at + 700]) is None


@pytest.mark.parametrize("kind", ["wav", "aiff", "au", "wave64", "caf", "flac", "ogg_opus", "webm"])
async def test_a_file_without_audio_is_told_when_the_next_one_begins(
    kind: str, encoded: Callable[..., Any]
) -> None:
    """A file that was empty was dropped without a word when the next message began one."""
    head = {"wav": 44, "aiff": 54, "au": 32, "wave64": 104, "caf": 60, "flac": 42, "ogg_opus": 47}
    decoder = AudioDecoder(AudioFormat())
    await joined(decoder.feed(encoded(kind).data[: head.get(kind, 200)]))
    pcm = b""
    with pytest.raises(AudioError, match="in the file before this one, "):  # noqa: PT012
        async for part in decoder.feed(wav(b"\1\2" * 50)):
            pcm += part
    assert pcm == b"\1\2" * 50
    assert await joined(decoder.feed(wav(b"\3\4" * 50))) == b"\3\4" * 50
    await decoder.close()
