"""What the programs are given to send."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of a tone at 16 kHz."""
    path = tmp_path_factory.mktemp("audio") / "tone.wav"
    tone = [round(8000 * math.sin(at / 10)) for at in range(16000)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(struct.pack(f"<{len(tone)}h", *tone))
    return path
