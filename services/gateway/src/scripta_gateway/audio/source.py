"""What a decoder needs of each kind of audio."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Progress(NamedTuple):
    """What came of some bytes.

    Attributes:
        pcm: Mono s16le at 16 kHz.
        rest: ``None`` while the stream goes on; at its end the bytes that lie behind it.
    """

    pcm: bytes
    rest: bytes | None = None


class Source(Protocol):
    """One file or stream while it is decoded. Calls do not overlap, but for ``abort``."""

    @property
    def at_rest(self) -> bool:
        """Whether it holds nothing back: another one would go on just here."""

    async def feed(self, data: bytes) -> Progress:
        """Takes more bytes; raises ``AudioError`` if they can not be decoded."""

    async def flush(self, *, end: bool) -> bytes:
        """Returns what is held back; after ``end`` the stream takes nothing more.

        Raises ``AudioError`` where it is clear that no audio was found.
        """

    def expects(self, message: bytes) -> bool:
        """Whether a message that looks like the start of a file belongs to this one."""

    def abort(self) -> None:
        """Gives the stream up at once, even while another call waits."""

    async def close(self) -> None:
        """Frees threads and memory; may be called again."""
