"""The seam between a transcriber and the model it runs.

An engine turns segments of audio into text. It is loaded once, called from worker threads,
and knows neither sessions nor the broker. A final is a function of its segment alone: the same
segment gives the same text, whatever else the engine was asked before or at the same time.

An engine keeps nothing between calls. A draft may return a ``memo``: the caller keeps it, and
passes it to the next call for the same segment. A **streaming** engine has a decoder that hears
audio once, as it comes, and carries a state. This state is its memo. A draft feeds the decoder
what is new since the last draft, and the final feeds it the rest. The caller drops the memo when
the segment ends, so no state outlives a checkpoint. A replay begins without a memo and gives the
same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE, Reason, Word


class Segmentation(StrEnum):
    """How an engine's segments are cut from a session's audio."""

    SPEECH = "speech"
    """Stretches of speech, found by voice activity."""

    MESSAGE = "message"
    """One segment a client message (the mock engine)."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do.

    Attributes:
        languages: BCP-47 primary tags it transcribes; empty for any.
        segmentation: How its segments are cut.
        interims: Whether it is worth asking for revisable results.
        streaming: Whether its decoder hears audio once, as it comes, and never takes back a word.
        word_times: Whether it knows when each word was said; where not, times are estimated.
        keyterms: Whether it can be given words that are probably said.
        segment_seconds: Longest segment of a session that asks for no other.
        max_segment_seconds: Longest segment it takes.
        instant: Whether its calls cost so little that a worker thread would cost more.
        slots_per_thread: Sessions that one worker thread serves well: the default for slots.
        speech_cost: Seconds of a thread for a second of speech where ``slots_per_thread`` was
            found (see ``sustained``): how many slots a machine has is measured by it at start.
            ``None`` if ``slots_per_thread`` holds everywhere.
        models: Names by which clients may ask for what it runs, besides its own.
    """

    languages: frozenset[str]
    segmentation: Segmentation = Segmentation.SPEECH
    interims: bool = True
    streaming: bool = False
    word_times: bool = False
    keyterms: bool = False
    segment_seconds: float = 15.0
    max_segment_seconds: float = 30.0
    instant: bool = False
    slots_per_thread: int = 8
    speech_cost: float | None = None
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hints:
    """What a session says of what is spoken in it.

    Attributes:
        language: BCP-47 tag; ``None`` leaves it to the engine.
        keyterms: Words that are probably said.
    """

    language: str | None = None
    keyterms: tuple[str, ...] = ()


NO_HINTS: Final = Hints()
"""What a session says that says nothing."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a session's audio that is decoded as one.

    Attributes:
        start: First sample on the session's audio clock.
        pcm: Mono s16le at 16 kHz.
        reason: Why it ended (for an interim: the open segment so far, ``LENGTH``).
        message_bytes: Size of the client message it is made of, with ``Segmentation.MESSAGE``.
        accepted_ms: Unix milliseconds at which the gateway took the last of its audio.
        kept: Of an open segment: the session sample before which it will not be cut for its
            length, however it goes on; ``None`` if it is never cut so.
        least_end: Of an open segment: the session sample before which no silence and no boundary
            ends it. A streaming engine that hears no more than this has not heard too much when
            the segment ends. ``None``: it ends nowhere before its ``end``.
        language: BCP-47 tag of what is spoken, if the session says; ``None`` leaves it to the
            engine.
        word_times: Whether the times of its words are wanted.
        keyterms: Words that are probably said in its session; for engines that can be given any.
        lead: Samples of it before its first frame of speech; ``None`` if that is not known.
    """

    start: int
    pcm: bytes
    reason: Reason
    message_bytes: int = 0
    accepted_ms: int = 0
    kept: int | None = None
    least_end: int | None = None
    language: str | None = None
    word_times: bool = True
    keyterms: tuple[str, ...] = ()
    lead: int | None = None

    @property
    def end(self) -> int:
        """Session sample just past the segment."""
        return self.start + len(self.pcm) // BYTES_PER_SAMPLE

    @property
    def seconds(self) -> float:
        """Length in seconds of audio."""
        return len(self.pcm) / (BYTES_PER_SAMPLE * SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class Transcript:
    """What an engine heard in a segment.

    Attributes:
        text: The words, trimmed; empty for none.
        confidence: Mean over the words, 0 to 1, or ``None``.
        words: Words with times in seconds on the session's audio clock; empty where the
            engine has no times.
        language: BCP-47 tag, where the engine tells.
    """

    text: str
    confidence: float | None = None
    words: tuple[Word, ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What an engine hears in speech that goes on.

    Attributes:
        text: The words so far, trimmed.
        sure: For each word of the text, whether the engine hardly hesitated between it and
            another; of a streaming engine, whether no audio behind it can change it. ``None``
            where the engine does not tell.
        memo: What makes the next call for the same audio, with more behind it, cheaper: the
            engine's own, ``None`` where nothing does. Of a streaming engine: its decoder's state.
    """

    text: str
    memo: object = None
    sure: tuple[bool, ...] | None = None


class EngineError(Exception):
    """The engine can not be used; the message says what to do about it."""


class Engine(Protocol):
    """A speech model behind the seam."""

    @property
    def name(self) -> str:
        """Stable short name, also a metric label."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; models and languages are known before it is loaded, if it is there."""
        ...

    def load(self) -> None:
        """Loads the model; blocking, called once in a worker thread.

        Raises:
            EngineError: A file is missing or broken; the message names the fix.
        """
        ...

    def transcribe(self, segment: Segment, memo: object = None) -> Transcript:
        """Returns the final transcript of a segment; blocking, thread-safe, deterministic.

        Args:
            segment: The segment.
            memo: Of a streaming engine: what the last draft of this segment left, if there was
                one. It saves time and changes no word. Other engines are never given one.
        """
        ...

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        """Returns what was said so far in an open segment; may trade accuracy for speed.

        Args:
            segment: The audio so far.
            memo: Of the last draft that began with the same sample.
        """
        ...
