"""What a demuxer is given of WebM: whole elements, whatever the bytes came in and lacked."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.webmjoin import CLUSTER
from scripta_gateway.audio.webmmend import WebmMender
from scripta_gateway.bounds import MAX_DAMAGED_BYTES

pytestmark = pytest.mark.unit


def mended(data: bytes, sizes: Callable[[], int]) -> bytes:
    mender, given, at = WebmMender("webm"), b"", 0
    while at < len(data):
        size = sizes()
        given += mender.push(data[at : at + size])
        at += size
    return given


@pytest.mark.parametrize("kind", ["webm", "webm_live", "webm_vorbis_live"])
def test_what_is_given_does_not_depend_on_how_bytes_came(
    kind: str, encoded: Callable[..., Any]
) -> None:
    data = encoded(kind).data
    whole = mended(data, lambda: len(data))
    assert whole.count(CLUSTER) == data.count(CLUSTER)
    assert 0 <= len(data) - len(whole) < 2_000  # indexes and tags
    chance = random.Random(3)
    assert mended(data, lambda: 1) == whole
    assert mended(data, lambda: chance.randrange(1, 900)) == whole


@pytest.mark.parametrize("kind", ["webm", "webm_live", "webm_vorbis_live"])
def test_damage_costs_no_more_than_the_elements_it_lies_in(
    kind: str, encoded: Callable[..., Any]
) -> None:
    """A demuxer goes on with the next cluster, which may be half a minute away."""
    data = encoded(kind).data
    whole = mended(data, lambda: len(data))
    chance = random.Random(4)
    for at in range(len(data) // 5, len(data) * 4 // 5, len(data) // 9):
        missing = data[:at] + data[at + 100 :]
        wrong = data[:at] + chance.randbytes(100) + data[at + 100 :]
        for harmed in (missing, wrong):
            assert len(mended(harmed, lambda: 700)) > len(whole) - 3_000


def test_a_stream_that_nothing_is_found_in_is_refused(encoded: Callable[..., Any]) -> None:
    data = encoded("webm_live").data
    with pytest.raises(AudioError, match="damaged"):
        mended(data + bytes(MAX_DAMAGED_BYTES + 4_096), lambda: 4_096)


def test_blocks_with_pictures_may_be_large(encoded: Callable[..., Any]) -> None:
    """Guards recordings with a camera, whose blocks are larger than any of sound."""
    data = encoded("webm_live").data
    picture = b"\xa3\x10\x20\0\0" + b"\x82\0\0\0" + bytes(0x20_0000 - 4)
    at = data.index(CLUSTER)
    tracks = data[:at].replace(b"\x83\x81\x02", b"\x83\x81\x01")
    assert tracks != data[:at]
    film = tracks + data[at:] + picture + data[at:]
    assert len(mended(film, lambda: 65_536)) > len(picture) + 1.9 * len(data[at:])


def test_a_damaged_head_is_refused_at_once() -> None:
    """Guards against silence for a stream of which nothing can ever be heard."""
    with pytest.raises(AudioError, match="damaged"):
        WebmMender("webm").push(b"\x1aE\xdf\xa3" + b"\xff" * 400)
