"""What crosses the session log: audio entries one way, results the other.

Owns the types and their bytes on the broker. Positions are samples at 16 kHz on the
session's audio clock, which starts at 0 and advances only with accepted audio. Everything
here is immutable; nothing here knows Redis.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final as Constant
from typing import TypeVar

import msgspec

T = TypeVar("T")

SAMPLE_RATE: Constant = 16_000
"""Samples per second of all audio behind the gateway (mono, s16le)."""

BYTES_PER_SAMPLE: Constant = 2


class EntryKind(StrEnum):
    """What an entry of a session's audio stream is."""

    AUDIO = "audio"
    FINALIZE = "finalize"
    END = "end"


class Reason(StrEnum):
    """Why a segment ended where it did."""

    ENDPOINT = "endpoint"
    LENGTH = "length"
    FINALIZE = "finalize"
    IDLE = "idle"
    END = "end"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Intake:
    """What a session has taken in of its client: where a client that comes back goes on.

    Attributes:
        messages: Audio messages accepted.
        partial: Samples of the next message that the log has already; the message is sent again
            and they are skipped.
        at_rest: Whether the decoder held nothing back, so that another one goes on just there.
    """

    messages: int = 0
    partial: int = 0
    at_rest: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a session's audio stream.

    Attributes:
        seq: Position in the stream: 1, 2, 3 … without a gap. It is also the stream entry's id.
        kind: Audio, or a boundary that the gateway decided.
        first_sample: Session sample at which the entry stands (for audio: of its first sample).
        pcm: Mono s16le at 16 kHz; empty for control entries and pauses (and for audio messages
            that were too short to fill a sample).
        accepted_ms: Unix time in milliseconds at which the gateway took it.
        message_bytes: Size of the client message that this entry completes; 0 when the message
            goes on in the next entry, and for control entries.
        reason: For ``FINALIZE``: ``FINALIZE`` if the client asked, ``IDLE`` if it fell silent.
            For ``AUDIO``: ``IDLE`` if it is a pause, ``END`` if it clears what is undecided.
        intake: What of the client is in the log once this entry is; part of the session's
            state, not of the stream.
    """

    seq: int
    kind: EntryKind
    first_sample: int
    pcm: bytes = b""
    accepted_ms: int = 0
    message_bytes: int = 0
    reason: Reason = Reason.FINALIZE
    intake: Intake = Intake()

    @property
    def end_sample(self) -> int:
        """Session sample just past this entry."""
        return self.first_sample + len(self.pcm) // BYTES_PER_SAMPLE

    @property
    def is_pause(self) -> bool:
        """Whether the client paused here: a boundary if nobody was speaking, else nothing.

        It is audio without samples, so that releases that know no pauses read past it.
        """
        return self.kind is EntryKind.AUDIO and self.reason is Reason.IDLE

    @property
    def is_clear(self) -> bool:
        """Whether the audio before it that is not decided is dropped, without a final.

        It is audio without samples, too: a release that does not know it decides that audio.
        """
        return self.kind is EntryKind.AUDIO and self.reason is Reason.END

    @property
    def is_boundary(self) -> bool:
        """Whether no audio is heard across it."""
        return self.kind is not EntryKind.AUDIO or self.is_clear


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Up to where a session is decided; a replay starts here.

    Attributes:
        sample: Audio before this session sample is covered by committed results.
        seq: Last entry that is consumed entirely. A replay reads on at ``seq + 1`` and drops
            the samples before ``sample``.
        speaking: Whether speech goes on behind it: it was cut for its length, or by a boundary
            while somebody spoke.
    """

    sample: int = 0
    seq: int = 0
    speaking: bool = False


class Word(msgspec.Struct, frozen=True, array_like=True):
    """One word with its times in seconds on the session's audio clock."""

    text: str
    start: float
    end: float
    confidence: float | None = None


class Final(msgspec.Struct, frozen=True, array_like=True, tag="final"):
    """A permanent result: the words of one segment.

    Attributes:
        index: Place among the session's results: 1, 2, 3 … without a gap.
        start: Start of the segment in seconds on the audio clock.
        end: End of the segment in seconds.
        text: The words; empty where a boundary was asked for and nothing was said.
        reason: Why the segment ended.
        words: The words with times; empty where the engine has none.
        words_estimated: Whether the word times are estimated and not from the engine.
        confidence: 0 to 1, or ``None`` where the engine has none.
        language: BCP-47 tag of the segment's language.
    """

    index: int
    start: float
    end: float
    text: str
    reason: Reason
    words: tuple[Word, ...] = ()
    words_estimated: bool = False
    confidence: float | None = None
    language: str | None = None


class Ended(msgspec.Struct, frozen=True, array_like=True, tag="ended"):
    """The session's last result: everything accepted is transcribed."""

    index: int
    duration: float


class Failed(msgspec.Struct, frozen=True, array_like=True, tag="failed"):
    """The session's last result: it can not go on; ``code`` names an error of the tree."""

    index: int
    code: str
    message: str


class Interim(msgspec.Struct, frozen=True, array_like=True, tag="interim"):
    """A revisable result for the open segment; never recorded, nobody is owed one."""

    start: float
    end: float
    text: str
    stable: str = ""


class SpeechKind(StrEnum):
    """What a session's detector has noticed."""

    STARTED = "started"
    STOPPED = "stopped"
    SILENT = "silent"


class Speech(msgspec.Struct, frozen=True, array_like=True, tag="speech"):
    """Speech began or ended; never recorded, and only for a session that asks for it.

    Attributes:
        kind: ``STARTED``: speech began, told before any result of it. ``STOPPED``: its segment is
            cut. ``SILENT``: nobody has spoken for as long as the session asks about.
        at: Seconds on the audio clock: start of the segment, or else its end.
        index: Index of the segment's final. For ``SILENT``: of the last final before it.
    """

    kind: SpeechKind
    at: float
    index: int = 0


Recorded = Final | Ended | Failed
"""Results that the results stream keeps, each with its index."""


def spoken_until(results: Iterable[Recorded]) -> int | None:
    """Returns the sample at which the last segment of speech ends; ``None`` if there is none."""
    finals = [one for one in results if isinstance(one, Final) and one.end > one.start]
    return round(finals[-1].end * SAMPLE_RATE) if finals else None


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """What a result came from and took: measured, and so no part of what it is.

    Attributes:
        by: Entry that decided the end of a final's segment; 0 with an interim.
        decode: Seconds that the engine took; 0 where it was not asked.
        traceparent: Span of the utterance, if it is traced.
    """

    by: int
    decode: float
    traceparent: str | None = None


class Ring(msgspec.Struct, frozen=True, array_like=True, tag="ring"):
    """The doorbell on ``gateway:<id>``: results as they are committed, and the checkpoint.

    Attributes:
        sid: The session.
        checkpoint_sample: The session's checkpoint after this commit; -1 with an interim.
        checkpoint_seq: Likewise.
        index: Last recorded result up to that checkpoint, whether it is in this ring or was in
            an earlier one; -1 with an interim.
        results: Recorded results in order, or one interim, or signals of speech, or none (the
            checkpoint moved).
        origins: Of each of these, where it is known; empty from a transcriber that does not tell.
        sent_at: When it was sent, in seconds by the broker's clock; ``None`` if that is not known.
        checkpoint_speaking: Whether speech goes on behind the checkpoint.
    """

    sid: str
    checkpoint_sample: int
    checkpoint_seq: int
    index: int
    results: tuple[Final | Ended | Failed | Interim | Speech, ...]
    origins: tuple[Origin | None, ...] = ()
    sent_at: float | None = None
    checkpoint_speaking: bool = False


class Superseded(msgspec.Struct, frozen=True, array_like=True, tag="superseded"):
    """Tells a session's former gateway that another connection has it now.

    Attributes:
        sid: The session.
        connection: Number of the connection that has it.
    """

    sid: str
    connection: int


_recorded_encoder = msgspec.msgpack.Encoder()
_recorded_decoder: msgspec.msgpack.Decoder[Recorded] = msgspec.msgpack.Decoder(Recorded)
_doorbell_decoder: msgspec.msgpack.Decoder[Ring | Superseded] = msgspec.msgpack.Decoder(
    Ring | Superseded
)


def encode(message: Recorded | Ring | Superseded) -> bytes:
    """Returns the bytes of a result or a doorbell."""
    return _recorded_encoder.encode(message)


def decode_recorded(data: bytes) -> Recorded:
    """Returns the recorded result; raises ``msgspec.DecodeError`` on anything else."""
    return _decode(_recorded_decoder, data)


def decode_doorbell(data: bytes) -> Ring | Superseded:
    """Returns what a gateway's doorbell rang; raises ``msgspec.DecodeError`` on anything else."""
    return _decode(_doorbell_decoder, data)


def _decode(decoder: msgspec.msgpack.Decoder[T], data: bytes) -> T:
    try:
        return decoder.decode(data)
    except UnicodeDecodeError as error:  # msgspec lets it through
        raise msgspec.DecodeError(str(error)) from None
