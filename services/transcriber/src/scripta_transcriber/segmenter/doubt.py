"""Keeps account of what was doubtful, and says when it is worth hearing again.

To hear again costs as much as to hear at first. All is counted from the checkpoint on, so that a
replay hears the same stretches again.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from scripta_transcriber.segmenter.levels import FRAME_SAMPLES
from scripta_transcriber.segmenter.rules import Rules, samples_of
from scripta_transcriber.segmenter.utterance import Utterance
from scripta_transcriber.segmenter.vad import Frame

_KNOWN_FRAMES: Final = 10
"""Frames of speech behind which its level is known: what was doubtful before is heard again."""


class Unheard(NamedTuple):
    """What is to be heard again.

    Attributes:
        samples: All audio since the checkpoint.
        last: Whether it is for the last time: what comes of it is decided then.
        doubtful: Whether any frame of it was doubtful, or was taken for a noise.
    """

    samples: Frame
    last: bool
    doubtful: bool = True


class Doubt:
    """What was doubtful since the checkpoint. Positions are samples behind it.

    A frame is doubtful if it may be speech and is not taken for it.

    Args:
        rules: When speech ends, and when silence is passed.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._endpoint = samples_of(rules.endpoint_silence)
        self._pause = samples_of(rules.pause_silence)
        self._longest_silence = samples_of(rules.longest_silence)
        self.forget()

    @property
    def any(self) -> bool:
        """Whether any frame was doubtful."""
        return self._any

    def forget(self) -> None:
        """Forgets everything, as if it were new."""
        # The last doubtful frame that was not heard again, and whether there was any at all.
        self._at: int | None = None
        self._any = False
        # How much was heard again, and all of these stretches together.
        self._heard = self._heard_in_all = 0

    def note(self, here: int) -> None:
        """Notes that a frame that ends here is doubtful."""
        self._at, self._any = here, True

    def settle(self) -> None:
        """Notes that what was doubtful is decided."""
        self._at = None

    def note_heard(self, here: int) -> None:
        """Notes that all audio up to here was heard again."""
        self._heard = here
        self._heard_in_all += here

    def is_due(self, here: int, speech: Utterance | None, silence: int) -> bool:
        """Returns true if it is time to hear all up to here again, for the last time.

        That is before it is passed as silence. And it is behind the start of speech that doubtful
        frames precede: they may be its start.

        Args:
            here: How much audio there is.
            speech: The open speech.
            silence: How much of the audio lies behind the speech.
        """
        if speech is None:
            return here + FRAME_SAMPLES >= self._longest_silence and here > self._heard
        ends = silence + FRAME_SAMPLES >= min(self._endpoint, self._pause)
        known = ends or speech.voiced_frames >= _KNOWN_FRAMES
        # A noise is forgotten when it ends, and is doubtful then itself.
        return self._at is not None and known and not speech.is_noise(self._rules)

    def is_due_at_boundary(self, here: int, speech: Utterance | None) -> bool:
        """Returns the same where a boundary comes next."""
        if here <= self._heard:
            return False
        if speech is None:
            return True
        return self._at is not None or not speech.holds_word(self._rules)

    def is_worth_a_try(self, here: int) -> bool:
        """Returns true if silence up to here may be heard again before it has to be.

        That is behind doubtful frames that silence follows, each time it is twice as long as all
        that was heard again together.
        """
        if self._at is None:
            return False
        return here - self._at >= self._endpoint and here >= 2 * self._heard_in_all
