"""Digital silence: frames that need no model to say that nobody speaks in them."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

STEADY_RANGE: Final = 2
"""Samples of a frame of a muted line lie this close together: rounding moves them by one either
way, and A-law has no zero, only a constant next to it."""

FADING_FRAMES: Final = 16
"""Steady frames behind others that are listened to all the same, half a second: a gap between
two words is not the end of what the detector remembers."""

_ZEROS: Final = bytes(1024)


class Stillness:
    """Tells of each frame whether a session is still; a function of the frames since ``reset``.

    At the start all is still, until something is heard.
    """

    def __init__(self) -> None:
        self._steady = FADING_FRAMES

    def reset(self) -> None:
        """Forgets everything heard, as if it were new."""
        self._steady = FADING_FRAMES

    def covers(self, frame: npt.NDArray[np.int16]) -> bool:
        """Takes the next frame; returns whether it is still: nobody need listen to it."""
        if not _is_steady(frame):
            self._steady = 0
            return False
        self._steady += 1
        return self._steady > FADING_FRAMES


def _is_steady(frame: npt.NDArray[np.int16]) -> bool:
    # Nearly all of it is zeros, and to compare bytes is ten times as fast.
    return frame.tobytes() == _ZEROS or int(frame.max()) - int(frame.min()) <= STEADY_RANGE
