"""What a demuxer is given of MP4: whole fragments, and anything else as it came."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.mp4mend import FragmentMender
from scripta_gateway.bounds import MAX_DAMAGED_BYTES

pytestmark = pytest.mark.unit

FRAGMENTED = "m4a_fragmented"


def mended(data: bytes, sizes: Callable[[], int]) -> bytes:
    mender, given, at = FragmentMender("mp4"), b"", 0
    while at < len(data):
        size = sizes()
        given += mender.push(data[at : at + size])
        at += size
    return given


@pytest.mark.parametrize("kind", [FRAGMENTED, "m4a_index_first", "mp4_alac"])
def test_all_of_a_whole_stream_is_given(kind: str, encoded: Callable[..., Any]) -> None:
    data = encoded(kind).data
    chance = random.Random(3)
    assert mended(data, lambda: len(data)) == data
    assert mended(data, lambda: 1) == data
    assert mended(data, lambda: chance.randrange(1, 900)) == data


def test_damage_costs_the_fragments_it_lies_in(encoded: Callable[..., Any]) -> None:
    """A demuxer heard nothing behind damage."""
    data = encoded(FRAGMENTED).data
    chance = random.Random(4)
    for at in range(len(data) // 5, len(data) * 4 // 5, len(data) // 9):
        missing = data[:at] + data[at + 100 :]
        wrong = data[:at] + chance.randbytes(100) + data[at + 100 :]
        for harmed in (missing, wrong):
            assert len(mended(harmed, lambda: 700)) > len(data) - 2_000


def test_a_stream_without_a_further_fragment_is_refused(encoded: Callable[..., Any]) -> None:
    data = encoded(FRAGMENTED).data
    noise = random.Random(5).randbytes(MAX_DAMAGED_BYTES + 4_096)
    with pytest.raises(AudioError, match="damaged"):
        mended(data[: len(data) // 2] + noise, lambda: 4_096)
