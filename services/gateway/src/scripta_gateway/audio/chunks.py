"""Reads headers that are chunks in a row, each with a name and a size, as they come."""

from __future__ import annotations

from abc import ABC, abstractmethod

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.pcmfile import PcmHeader
from scripta_gateway.bounds import MAX_METADATA_BYTES, MAX_METADATA_CHUNKS


class ChunkReader(ABC):
    """Reads every byte once; chunks of no interest are stepped over, not kept.

    Attributes:
        head: What a decoder of compressed samples has to see of it.

    Args:
        kind: The kind of file, for messages to clients.
        form_bytes: How long what comes before the first chunk is.
        head_bytes: How long the head of a chunk is.
    """

    def __init__(self, kind: str, form_bytes: int, head_bytes: int) -> None:
        self.head = b""
        self._kind = kind
        self._head_bytes = head_bytes
        self._held = bytearray()
        self._wanted = form_bytes
        self._skip = 0
        self._passed = 0
        self._chunks = 0

    @abstractmethod
    def _parse(self, held: bytes) -> PcmHeader | None:
        """Reads the file's first bytes, a chunk's head, or a chunk of interest with its head.

        It asks for more by ``_wanted``, or goes on.
        """

    def take(self, data: memoryview) -> tuple[PcmHeader | None, int]:
        """Returns the header, once it is complete, and how many of the bytes belong to it.

        Raises:
            AudioError: The header makes no sense.
        """
        at = 0
        while at < len(data):
            step = min(self._skip, len(data) - at)
            self._skip -= step
            part = data[at + step : at + step + self._wanted - len(self._held)]
            self._held += part
            at += step + len(part)
            if len(self._held) == self._wanted and (header := self._parse(bytes(self._held))):
                return header, at
        return None, at

    def _go_on(self, skip: int = 0) -> None:
        """Leaves what is held behind, and ``skip`` more bytes."""
        self._passed += len(self._held) + skip
        self._held.clear()
        self._wanted = self._head_bytes
        self._skip = skip
        self._chunks += 1
        if self._passed > MAX_METADATA_BYTES or self._chunks > MAX_METADATA_CHUNKS:
            raise self._damaged()

    def _damaged(self) -> AudioError:
        return AudioError(f"the {self._kind} header is damaged")
