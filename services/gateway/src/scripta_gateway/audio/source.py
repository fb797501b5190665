"""What a decoder needs of each kind of audio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol


class Source(Protocol):
    """One file or stream while it is decoded. Calls do not overlap.

    An iteration that is cancelled or left unfinished leaves nothing to do but ``close``.

    Attributes:
        consumed: After ``feed``: ``None`` while the stream goes on; at its end, how many of the
            bytes belong to it.
    """

    consumed: int | None

    @property
    def voices(self) -> int:
        """Channels of its PCM: more than one only where they are kept apart."""

    @property
    def at_rest(self) -> bool:
        """Whether it holds nothing back: another one would go on just here."""

    def feed(self, data: memoryview) -> AsyncIterator[bytes]:
        """Yields PCM in slices, s16le at 16 kHz; of several voices the samples are interleaved.

        Raises ``AudioError`` if it can not.
        """

    def flush(self, *, end: bool) -> AsyncIterator[bytes]:
        """Yields what is held back; after ``end`` the stream takes nothing more.

        Raises ``AudioError`` where it is clear that no audio was found.
        """

    def expects(self, head: bytes) -> bool:
        """Whether a message that looks like the start of a file belongs to this one."""

    async def close(self) -> None:
        """Frees processes and memory; may be called again."""
