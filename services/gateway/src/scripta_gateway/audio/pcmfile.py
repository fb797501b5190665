"""Files of plain samples: a header, then samples.

Read here and not by a demuxer so that no sample is held back, and no process is needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.limits import DecoderLimits
from scripta_gateway.audio.raw import RawSource, SampleFormat
from scripta_gateway.audio.source import Source


@dataclass(frozen=True, slots=True)
class PcmHeader:
    """What precedes the samples.

    Attributes:
        form: How samples are written; ``None`` for a compressed format.
        sample_rate: In Hz.
        channels: How many are interleaved.
        data_bytes: Size of the samples; ``None`` if the writer did not know it (a live stream).
        trailer_bytes: Size of what follows the samples.
    """

    form: SampleFormat | None
    sample_rate: int
    channels: int
    data_bytes: int | None
    trailer_bytes: int = 0


class HeaderReader(Protocol):
    """Reads a header as it comes, every byte once.

    Attributes:
        head: What a decoder of compressed samples has to see of it.
    """

    head: bytes

    def take(self, data: memoryview) -> tuple[PcmHeader | None, int]:
        """Returns the header, once it is complete, and how many of the bytes belong to it.

        Raises:
            AudioError: The header makes no sense.
        """


class PcmFileSource:
    """A file or stream of samples behind a header.

    Args:
        name: The kind of file, for messages to clients.
        reader: Reads the header.
        limits: Bounds.
        open_other: Makes the source that decodes compressed samples behind such a header.
        separate: Whether channels are kept apart.
    """

    def __init__(
        self,
        name: str,
        reader: HeaderReader,
        limits: DecoderLimits,
        open_other: Callable[[], Source],
        *,
        separate: bool = False,
    ) -> None:
        self._separate = separate
        self.consumed: int | None = None
        self._limits = limits
        self._open_other = open_other
        self._name = name
        self._reader = reader
        self._inner: Source | None = None
        self._data_left: int | None = None
        self._trailer_left = 0
        self._any_pcm = False

    @property
    def voices(self) -> int:
        """Channels of its PCM, once there is any."""
        return 1 if self._inner is None else self._inner.voices

    @property
    def at_rest(self) -> bool:
        """Never: the middle of a file means nothing without its start."""
        return False

    async def feed(self, data: memoryview) -> AsyncIterator[bytes]:
        """Yields the PCM that these bytes complete; ends where the header says."""
        self.consumed = None
        at = 0
        if self._inner is None:
            header, at = self._reader.take(data)
            if header is None:
                return
            self._inner = self._begin(header)
            if header.form is None:
                async for pcm in self._feed_inner(self._inner, memoryview(self._reader.head)):
                    yield pcm
        body = data[at:] if self._data_left is None else data[at : at + self._data_left]
        if body:
            async for pcm in self._feed_inner(self._inner, body):
                yield pcm
        if self._data_left is None:
            return
        self._data_left -= len(body)
        if self._data_left:
            return
        at += len(body)
        over = min(self._trailer_left, len(data) - at)
        self._trailer_left -= over
        if not self._trailer_left:
            async for pcm in self.flush(end=True):
                yield pcm
            self.consumed = at + over

    async def flush(self, *, end: bool) -> AsyncIterator[bytes]:
        """Yields what is held back; an ended file without a sample is an error."""
        if self._inner is not None:
            async for pcm in self._inner.flush(end=end):
                self._any_pcm = True
                yield pcm
        if end and not self._any_pcm:
            raise AudioError(f"the {self._name} data holds no audio")

    def expects(self, head: bytes) -> bool:
        """Whether a message that looks like a new file is not one: never."""
        return False

    async def close(self) -> None:
        """Frees what the inner source has."""
        if self._inner is not None:
            await self._inner.close()

    def _begin(self, header: PcmHeader) -> Source:
        self._data_left, self._trailer_left = header.data_bytes, header.trailer_bytes
        if header.form is None:
            return self._open_other()
        return RawSource(
            header.form,
            header.sample_rate,
            header.channels,
            self._limits,
            separate=self._separate,
        )

    async def _feed_inner(self, inner: Source, data: memoryview) -> AsyncIterator[bytes]:
        async for pcm in inner.feed(data):
            self._any_pcm = True
            yield pcm
