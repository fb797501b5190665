"""The end of a container is found at the byte, in any split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scripta_gateway.audio.extent import EbmlExtent, Extent, Mp4Extent, OggExtent

pytestmark = pytest.mark.unit

ENDS: list[tuple[str, type[Extent]]] = [
    ("ogg_opus", OggExtent),
    ("ogg_vorbis", OggExtent),
    ("webm", EbmlExtent),
    ("m4a_index_last", Mp4Extent),
    ("m4a_index_first", Mp4Extent),
]


def end_of(extent: Extent, data: bytes, size: int) -> int | None:
    for at in range(0, len(data), size):
        end = extent.take(data[at : at + size])
        if end is not None:
            return at + end
    return None


@pytest.mark.parametrize(("kind", "extent"), ENDS)
@pytest.mark.parametrize("size", [1, 13, 1000, 1 << 20])
def test_the_end_is_the_last_byte(
    kind: str, extent: type[Extent], size: int, encoded: Callable[..., Any]
) -> None:
    data = encoded(kind).data
    assert end_of(extent(), data + b"more", size) == len(data)
    assert end_of(extent(), data[:-1], size) is None


@pytest.mark.parametrize(
    ("kind", "extent"), [("webm_live", EbmlExtent), ("m4a_fragmented", Mp4Extent)]
)
def test_live_streams_have_no_end(
    kind: str, extent: type[Extent], encoded: Callable[..., Any]
) -> None:
    assert end_of(extent(), encoded(kind).data * 2, 1000) is None


@pytest.mark.parametrize("extent", [OggExtent, EbmlExtent, Mp4Extent])
def test_nonsense_has_no_end(extent: type[Extent]) -> None:
    assert end_of(extent(), bytes(5000), 999) is None
    assert end_of(extent(), b"\xff" * 5000, 999) is None


def test_mp4_tells_whether_its_index_comes_first(encoded: Callable[..., Any]) -> None:
    for kind, media_first in (("m4a_index_last", True), ("m4a_index_first", False)):
        extent = Mp4Extent()
        extent.take(encoded(kind).data)
        assert extent.media_first is media_first
