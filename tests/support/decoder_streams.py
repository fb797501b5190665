"""Live streams that are decoded side by side, one of which comes to harm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from joined import joined

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.limits import DecoderLimits
from scripta_gateway.audio.processes import DecoderProcesses

NEIGHBOURS = ["ogg_opus_live", "webm_live", "mp3_16k_live", "flac_live"]


class Stream:
    """A live stream that is sent part by part."""

    def __init__(self, parts: list[bytes], processes: DecoderProcesses, **limits: Any) -> None:
        self.parts = parts
        self.pcm = b""
        before = set(processes.living)
        self._processes, self._before = processes, before
        self.decoder = AudioDecoder(
            AudioFormat(),
            budget=StreamBudget(),
            processes=processes,
            limits=DecoderLimits(**limits),
        )
        self.pid = 0

    async def send(self, count: int) -> None:
        for part in self.parts[:count]:
            self.pcm += await joined(self.decoder.feed(part))
            if not self.pid:
                (self.pid,) = self._processes.living - self._before
        del self.parts[:count]

    async def finish(self) -> bytes:
        await self.send(len(self.parts))
        self.pcm += await joined(self.decoder.flush(end=True))
        await self.decoder.close()
        return self.pcm


def alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def begin(
    encoded: Callable[..., Any], processes: DecoderProcesses, **limits: Any
) -> tuple[Stream, list[Stream]]:
    """Returns a stream to hurt, and its neighbours, all in mid-stream."""
    streams = []
    for kind in ["ogg_opus_live", *NEIGHBOURS]:
        streams.append(Stream(list(encoded(kind).parts), processes, **limits))
        await streams[-1].send(20)
    return streams[0], streams[1:]


async def finish_unharmed(
    neighbours: list[Stream], encoded: Callable[..., Any], decode: Any
) -> None:
    for kind, neighbour in zip(NEIGHBOURS, neighbours, strict=True):
        assert await neighbour.finish() == (await decode([encoded(kind).data])).all
