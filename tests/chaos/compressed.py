"""The same speech as live streams in containers, which are decoded in processes of their own."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any, Final

import av
import numpy as np

from .recordings import SAMPLE_RATE

_FORMS: Final = (("flac", "flac"), ("ogg", "libopus"), ("mp3", "libmp3lame"), ("webm", "libopus"))
_OPTIONS: Final = {
    "ogg": {"page_duration": "100000"},
    "webm": {"live": "1", "cluster_time_limit": "100"},
}
_BLOCK: Final = 1600


def compressed(pcm: bytes, number: int, count: int) -> tuple[bytes, ...]:
    """Returns speech in the container whose turn it is, in so many messages of equal size.

    Args:
        pcm: Mono s16le at 16 kHz.
        number: Place among the sessions, which chooses the container.
        count: Messages.
    """
    container, codec = _FORMS[number % len(_FORMS)]
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=_OPTIONS.get(container, {})) as file:
        stream: Any = file.add_stream(codec, rate=SAMPLE_RATE)
        stream.layout = "mono"
        samples = np.frombuffer(pcm, dtype="<i2")
        for start in range(0, len(samples), _BLOCK):
            block = samples[None, start : start + _BLOCK]
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    data = out.getvalue()
    edges = [len(data) * place // count for place in range(count + 1)]
    return tuple(data[start:end] for start, end in pairwise(edges))
