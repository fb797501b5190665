"""The numbers that decide where speech is cut."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.segmenter.levels import FRAME_SAMPLES

SHORTEST_ENDPOINT = 0.1
"""Seconds of silence that end a segment, at least. Gaps within words are nearly as long, and behind
each cut the voice detector has to learn anew what it hears."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When speech starts, ends, and where it is cut if it does not end; in seconds.

    Attributes:
        start_probability: A frame of at least this probability starts speech.
        keep_probability: A frame of at least this probability goes on with speech.
        endpoint_silence: Silence that ends a segment, and behind which a noise is forgotten.
        ends_in_silence: Whether silence ends a segment at all.
        pre_roll: Audio kept from before the first frame of speech: the model misses a word
            that starts with the audio.
        reach: A segment starts so much before the first frame of speech, at most, …
        loud_share: … while the audio there has this share of that frame's power, or more.
        post_roll: Audio kept from after the last frame of speech, at most; whatever of the
            endpoint silence is left over is the next segment's pre-roll.
        doubtful_probability: Audio with a frame of at least this probability is heard again before
            it is passed as silence.
        sure_probability: Speech of which no frame reaches this probability is a noise.
        least_speech: Speech shorter than this is a noise.
        least_word: The same where a boundary is asked for, and speech had ended before it.
        least_fragment: The same where the boundary cuts the speech off, as a tap on a push-to-talk
            key does: so short a part of a word is no word, and engines guess one.
        pause_silence: Silence that ends a segment if the client paused behind it.
        longest_segment: A segment is cut when it reaches this length …
        search_window: … at the quietest place within this much audio before.
        longest_silence: Silence is passed on without a segment when it reaches this length.
    """

    start_probability: float = 0.5
    keep_probability: float = 0.35
    endpoint_silence: float = 0.5
    ends_in_silence: bool = True
    pre_roll: float = 0.25
    reach: float = 1.5
    loud_share: float = 0.03
    post_roll: float = 0.2
    doubtful_probability: float = 0.2
    sure_probability: float = 0.7
    least_speech: float = 0.09
    least_word: float = 0.13
    least_fragment: float = 0.21
    pause_silence: float = 0.15
    longest_segment: float = 15.0
    search_window: float = 7.5
    longest_silence: float = 5.0

    def __post_init__(self) -> None:
        if not 0.0 < self.keep_probability <= self.start_probability <= 1.0:
            raise ValueError("keep_probability must be above 0 and at most start_probability")
        if self.endpoint_silence <= 0.0 or self.longest_silence <= self.pre_roll:
            raise ValueError("silences must be longer than nothing and than the pre-roll")
        if not 0.0 < self.search_window < self.longest_segment - self.pre_roll:
            raise ValueError("search_window must be shorter than longest_segment and its pre-roll")

    def with_endpointing(self, milliseconds: int | None) -> Rules:
        """Returns these rules with a session's own endpoint silence.

        Args:
            milliseconds: ``None`` leaves it; 0: silence ends no segment; a shorter one than can be
                heard well is taken for the shortest.
        """
        if milliseconds is None:
            return self
        if not milliseconds:
            return replace(self, ends_in_silence=False)
        return replace(self, endpoint_silence=max(milliseconds / 1000, SHORTEST_ENDPOINT))

    def with_longest_segment(self, seconds: float) -> Rules:
        """Returns these rules with another longest segment, and a search window in proportion.

        Raises:
            ValueError: So short a segment has no room for its pre-roll and the window.
        """
        scale = seconds / self.longest_segment
        return replace(self, longest_segment=seconds, search_window=self.search_window * scale)


def samples_of(seconds: float) -> int:
    """Returns how many samples so much audio has."""
    return round(seconds * SAMPLE_RATE)


def frames_of(seconds: float) -> float:
    """Returns how many frames of the voice detector so much audio has."""
    return seconds * SAMPLE_RATE / FRAME_SAMPLES
