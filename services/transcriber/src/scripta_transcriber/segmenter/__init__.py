"""Segmenters: where a session's audio is cut, decided by the audio alone."""

from __future__ import annotations

from dataclasses import dataclass

from scripta_common.wire import Checkpoint
from scripta_transcriber.engines.base import Capabilities, Hints, Segmentation
from scripta_transcriber.segmenter.base import Segmenter
from scripta_transcriber.segmenter.message import MessageSegmenter
from scripta_transcriber.segmenter.rules import Rules
from scripta_transcriber.segmenter.speech import SpeechSegmenter
from scripta_transcriber.segmenter.speech_watch import SpeechWatch
from scripta_transcriber.segmenter.vad import VoiceDetector

__all__ = ["SegmenterOptions", "create_segmenter", "load_detector"]


@dataclass(frozen=True, slots=True)
class SegmenterOptions:
    """What a session may ask of its segmenter.

    Attributes:
        endpointing_ms: Milliseconds of silence that end a segment; ``None`` for the default.
        language: BCP-47 tag that its segments carry to the engine.
        max_segment_ms: Milliseconds after which speech that goes on is cut; ``None`` for the
            engine's own. No segment is longer than the engine takes, whatever is asked for.
        keyterms: Words that are probably said, which its segments carry to the engine.
    """

    endpointing_ms: int | None = None
    language: str | None = None
    max_segment_ms: int | None = None
    keyterms: tuple[str, ...] = ()


def load_detector(capabilities: Capabilities) -> VoiceDetector | None:
    """Loads the voice detector that an engine's segmenters need; blocking, once at start.

    Returns ``None`` for an engine whose segments are not cut by speech.

    Raises:
        EngineError: The detector's model is missing or broken.
    """
    if capabilities.segmentation is Segmentation.MESSAGE:
        return None
    return VoiceDetector.load()


def create_segmenter(
    capabilities: Capabilities,
    checkpoint: Checkpoint,
    options: SegmenterOptions,
    detector: VoiceDetector | None,
    watch: SpeechWatch | None = None,
) -> Segmenter:
    """Returns a segmenter for one session; cheap, loads nothing.

    Args:
        capabilities: Of the engine that will decode the segments.
        checkpoint: Where the session starts or goes on.
        options: What the session asked for.
        detector: As ``load_detector`` returned it for this engine.
        watch: Is told of speech; ``None``: nobody asks about it.
    """
    if capabilities.segmentation is Segmentation.MESSAGE:
        return MessageSegmenter(checkpoint)
    if detector is None:
        raise ValueError("cutting by speech needs a voice detector: pass what load_detector gave")
    rules = Rules().with_longest_segment(_longest_segment(capabilities, options))
    rules = rules.with_endpointing(options.endpointing_ms)
    hints = Hints(options.language, options.keyterms)
    return SpeechSegmenter(checkpoint, detector.stream(), rules, hints, watch)


def _longest_segment(capabilities: Capabilities, options: SegmenterOptions) -> float:
    longest = capabilities.segment_seconds
    if options.max_segment_ms is not None:
        longest = options.max_segment_ms / 1000
    return min(longest, capabilities.max_segment_seconds)
