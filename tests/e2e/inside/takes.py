"""A voice that is said again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import overload

CHUNK_SECONDS = 0.1
CHUNK_BYTES = 3200


class Takes(Sequence[bytes]):
    """The chunks of a voice in as many rounds as it takes until it is told to stop.

    Its length is that of all rounds; iterating ends earlier, after a whole round, if ``stop``
    says so.

    Args:
        pcm: The voice: a whole number of chunks.
        rounds: How many at most.
        stop: Is asked after each round.

    Attributes:
        begun: Rounds that were begun.
    """

    def __init__(self, pcm: bytes, rounds: int, stop: Callable[[], bool]) -> None:
        if not pcm or len(pcm) % CHUNK_BYTES:
            raise ValueError(f"a voice is a whole number of chunks of {CHUNK_BYTES} bytes")
        self._chunks = [pcm[at : at + CHUNK_BYTES] for at in range(0, len(pcm), CHUNK_BYTES)]
        self._rounds = rounds
        self._stop = stop
        self.begun = 0

    def __iter__(self) -> Iterator[bytes]:
        while self.begun < self._rounds:
            self.begun += 1
            yield from self._chunks
            if self._stop():
                return

    def __len__(self) -> int:
        return self._rounds * len(self._chunks)

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> list[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | list[bytes]:
        everything = self._chunks * self._rounds
        return everything[at]
