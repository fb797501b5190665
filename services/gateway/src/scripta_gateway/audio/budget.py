"""What all compressed streams of a gateway may have together."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Final as Constant

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.memory import DecoderMemory
from scripta_gateway.bounds import MAX_KEPT_BYTES, Bound
from scripta_gateway.telemetry.metrics import BOUNDS_HIT, DECODERS

MIB: Constant = 1024 * 1024
_TURNS_PER_CORE: Constant = 32
_DECODER_BYTES: Constant = 5 * MIB
"""What a live stream's process takes, all told: 3.4 to 4.8 MB, by ``make bench-decoders``."""
_OTHER_BYTES: Constant = 384 * MIB
"""Left for the gateway and the zygote (128), held audio (128), and what decoders take beyond that,
with the files that they keep (128)."""
_LEAST_DECODERS: Constant = 16
_MEMORY_LIMITS: Constant = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def decoders_that_fit(most: int) -> int:
    """Returns how many decoders the container's memory holds, ``most`` if there is no limit."""
    for path in _MEMORY_LIMITS:
        # The file says "max" where there is no limit, and an older one a number beyond all memory.
        with suppress(OSError, ValueError):
            room = int(path.read_text()) - _OTHER_BYTES
            return min(most, max(_LEAST_DECODERS, room // _DECODER_BYTES))
    return most


class StreamBudget:
    """Counts compressed streams, the bytes that they keep of whole files, and who may compute.

    Belongs to one event loop.

    Args:
        streams: Decoders' processes at the same time.
        kept_bytes: Bytes of files that have to be complete, over all streams.
        memory: Looks after the memory of the processes.

    Attributes:
        turns: Who has one may compute.
        memory: Looks after the memory of the processes.
    """

    def __init__(
        self,
        streams: int = 256,
        kept_bytes: int = MAX_KEPT_BYTES,
        memory: DecoderMemory | None = None,
    ) -> None:
        self.memory = memory or DecoderMemory()
        self._streams = streams
        self._kept = kept_bytes
        # More would only make each of them slower; the rest wait for a turn, first come first
        # served.
        self.turns = asyncio.Semaphore(_TURNS_PER_CORE * (os.cpu_count() or 1))

    @property
    def free_streams(self) -> int:
        """How many more compressed streams may be opened."""
        return self._streams

    def open_stream(self) -> None:
        """Takes one stream.

        Raises:
            AudioError: None is left.
        """
        if self._streams < 1:
            BOUNDS_HIT[Bound.DECODERS].inc()
            raise AudioError(
                "too many compressed streams are open on this server; "
                "try again later or send raw audio"
            )
        self._streams -= 1
        DECODERS.inc()

    def close_stream(self) -> None:
        """Gives one stream back."""
        self._streams += 1
        DECODERS.dec()

    def keep(self, count: int) -> None:
        """Takes ``count`` bytes for files that have to be complete; gives them back if negative.

        Raises:
            AudioError: Not that many are left.
        """
        if self._kept < count:
            BOUNDS_HIT[Bound.DECODER_MEMORY].inc()
            raise AudioError(
                "too many MP4 files are being uploaded to this server; try again later "
                "or send the file with its index first (faststart)"
            )
        self._kept -= count
