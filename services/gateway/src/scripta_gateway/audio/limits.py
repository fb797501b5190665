"""Bounds on what decoding may cost, per message and over the whole process."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final as Constant

from scripta_gateway.audio.errors import AudioError

KIB: Constant = 1024
MIB: Constant = 1024 * KIB


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """Bounds of one decoder.

    Attributes:
        seconds_per_message: Audio that one message may decode to, in seconds. It is held in
            memory until the message is answered: 32 000 bytes a second, so 57.6 MB at the
            default. Beyond it the message is refused; a megabyte of packed silence could
            otherwise become days.
        file_bytes: Bytes kept of an MP4 file whose index comes last, until it is complete.
        fruitless_bytes: Bytes that a compressed stream may go on without yielding any audio
            (an MP4 index may be eight times as large).
        off_loop_bytes: Uncompressed messages larger than this are converted on a thread.
    """

    seconds_per_message: float = 1800.0
    file_bytes: int = 32 * MIB
    fruitless_bytes: int = 512 * KIB
    off_loop_bytes: int = 64 * KIB


class StreamBudget:
    """Counts compressed streams and buffered file bytes of a process; safe across threads.

    A stream is a thread and 0.1 (MP3), 0.3 (WebM, Ogg) or 0.4 MB (FLAC at 44.1 kHz) of memory,
    measured over 50 of each; a third less with ``MALLOC_ARENA_MAX=2``.
    """

    def __init__(self, streams: int = 512, buffered_bytes: int = 256 * MIB) -> None:
        self._streams = streams
        self._buffered = buffered_bytes
        self._lock = threading.Lock()

    @property
    def free_streams(self) -> int:
        """How many more compressed streams may be opened."""
        return self._streams

    def open_stream(self) -> None:
        """Takes one stream.

        Raises:
            AudioError: None is left.
        """
        with self._lock:
            if self._streams < 1:
                raise AudioError(
                    "too many compressed streams are open on this server; "
                    "try again later or send raw audio"
                )
            self._streams -= 1

    def close_stream(self) -> None:
        """Gives one stream back."""
        with self._lock:
            self._streams += 1

    def buffer(self, count: int) -> None:
        """Takes ``count`` bytes of the memory for files that have to be complete.

        Raises:
            AudioError: Not that many are left.
        """
        with self._lock:
            if self._buffered < count:
                raise AudioError(
                    "too many MP4 files are being uploaded to this server; try again later "
                    "or send the file with its index first (faststart)"
                )
            self._buffered -= count

    def unbuffer(self, count: int) -> None:
        """Gives ``count`` bytes back."""
        with self._lock:
            self._buffered += count


SHARED_BUDGET: Constant = StreamBudget()
"""The process's budget, for decoders that are given no other."""
