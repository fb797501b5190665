"""The samples of a recording, for tests that compare them with what was sent."""

from __future__ import annotations

import wave


def samples_of(recording):
    with wave.open(str(recording)) as file:
        return file.readframes(file.getnframes())
