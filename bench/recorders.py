"""What recorders send: the same speech in messages of any length, raw or in a container."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import av
import numpy as np
import soxr

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE

_BROWSER_RATE: Final = 48_000
_FRAME_SECONDS: Final = 0.02


class Form(StrEnum):
    """What the messages hold."""

    RAW = "raw"
    WEBM = "webm"
    MP4 = "mp4"


_CODECS: Final = {Form.WEBM: "libopus", Form.MP4: "aac"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message, and when it is sent, in seconds since the recorder began."""

    at: float
    data: bytes


def recorded(pcm: bytes, form: Form, seconds: float) -> list[Message]:
    """Returns speech as a recorder sends it that sends what it has every so many seconds.

    Args:
        pcm: Mono s16le at 16 kHz.
        form: What the messages hold.
        seconds: From one message to the next.
    """
    if form is Form.RAW:
        size = round(seconds * SAMPLE_RATE) * BYTES_PER_SAMPLE
        parts = [pcm[at : at + size] for at in range(0, len(pcm), size)]
    else:
        parts = _in_container(pcm, form, seconds)
    total = len(pcm) / (BYTES_PER_SAMPLE * SAMPLE_RATE)
    return [
        Message(min((place + 1) * seconds, total), part) for place, part in enumerate(parts) if part
    ]


def stalled(messages: Sequence[Message], at: float, seconds: float) -> list[Message]:
    """Returns the messages as they arrive if the network stands still for some time."""
    return [
        Message(at + seconds, message.data) if at <= message.at < at + seconds else message
        for message in messages
    ]


def _in_container(pcm: bytes, form: Form, seconds: float) -> list[bytes]:
    """Encodes as browsers do: at 48 kHz, the container written as a stream."""
    samples = soxr.resample(np.frombuffer(pcm, dtype="<i2"), SAMPLE_RATE, _BROWSER_RATE)
    out = _Stream()
    fragment = str(round(1e6 * min(seconds, 0.5)))
    options = {
        Form.WEBM: {"live": "1", "cluster_time_limit": "100"},
        Form.MP4: {"movflags": "empty_moov+default_base_moof", "frag_duration": fragment},
    }[form]
    parts: list[bytes] = []
    with av.open(out, "w", format=form.value, options=options) as file:
        stream: Any = file.add_stream(_CODECS[form], rate=_BROWSER_RATE)
        stream.layout = "mono"
        step = round(_FRAME_SECONDS * _BROWSER_RATE)
        for start in range(0, len(samples), step):
            if start >= (len(parts) + 1) * seconds * _BROWSER_RATE:
                parts.append(out.take())
            block = np.ascontiguousarray(samples[None, start : start + step])
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts = _BROWSER_RATE, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return [*parts, out.take()]


class _Stream(io.RawIOBase):
    """A file that is written from front to back, and taken away piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        """Returns what was written since the last call."""
        taken = bytes(self._written)
        self._written.clear()
        return taken
