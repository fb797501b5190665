"""The unit in which PCM leaves a decoder: small enough that nobody holds much of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final as Constant

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE

SLICE_SECONDS: Constant = 2
"""Audio in a slice. A live message is shorter and stays whole; a long one is never held whole."""

SLICE_BYTES: Constant = SLICE_SECONDS * SAMPLE_RATE * BYTES_PER_SAMPLE


def slices_of(pcm: bytes) -> Iterator[bytes]:
    """Yields PCM in slices of at most ``SLICE_BYTES``; none of no PCM."""
    if len(pcm) <= SLICE_BYTES:
        if pcm:
            yield pcm
        return
    for at in range(0, len(pcm), SLICE_BYTES):
        yield pcm[at : at + SLICE_BYTES]
