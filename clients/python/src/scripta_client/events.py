"""What a session yields: results and what the server tells besides.

All times are seconds on the session's audio clock, which starts at 0 with the first audio.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Word:
    """One word and when it was said."""

    text: str
    start: float
    end: float

    def shifted(self, seconds: float) -> Word:
        """Returns the same, so much later."""
        return replace(self, start=self.start + seconds, end=self.end + seconds)


@dataclass(frozen=True, slots=True)
class Final:
    """A permanent result: the words of one segment.

    Attributes:
        index: Place among the session's finals: 1, 2, 3 … without a gap.
        text: The words; empty where a boundary was asked for and nothing was said.
        start: Start of the segment.
        end: End of the segment.
        reason: Why it ended: ``endpoint``, ``length``, ``finalize``, ``idle``, ``end`` or
            ``message``.
        words: The words with their times; empty where the engine has none.
        words_estimated: Whether the word times are estimated.
        confidence: 0 to 1, or ``None`` where the engine has none.
        language: BCP-47 tag, or ``None`` where it is not known.
    """

    index: int
    text: str
    start: float
    end: float
    reason: str = ""
    words: tuple[Word, ...] = ()
    words_estimated: bool = False
    confidence: float | None = None
    language: str | None = None

    def shifted(self, seconds: float) -> Final:
        """Returns the same, so much later."""
        words = tuple(word.shifted(seconds) for word in self.words)
        return replace(self, start=self.start + seconds, end=self.end + seconds, words=words)


@dataclass(frozen=True, slots=True)
class Interim:
    """A revisable result for the segment that is being spoken.

    Attributes:
        text: The words so far.
        stable: The part of ``text`` at its beginning that later interims begin with, and that the
            final nearly always keeps: about one word in a hundred becomes another one.
        start: Start of the segment.
        end: End of the audio that is heard so far.
    """

    text: str
    stable: str
    start: float
    end: float

    def shifted(self, seconds: float) -> Interim:
        """Returns the same, so much later."""
        return replace(self, start=self.start + seconds, end=self.end + seconds)


@dataclass(frozen=True, slots=True)
class ServerError:
    """The server refused one message; the session goes on.

    Attributes:
        message: What the server says.
        refused: Bytes of audio that are lost by it; 0 where it was no audio.
    """

    message: str
    refused: int


@dataclass(frozen=True, slots=True)
class GoingAway:
    """The gateway is shutting down and will close the connection soon."""


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection broke; a new one is about to be tried.

    Attributes:
        attempt: Which try it will be: 1, 2, 3 …
        delay: Seconds until then.
        why: Why the last connection, or the last try, failed.
    """

    attempt: int
    delay: float
    why: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The session goes on over a new connection; nothing is lost.

    Attributes:
        seconds: Time without a connection.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Restarted:
    """The server did not have the session any more; a new one goes on in its place.

    Times and indexes go on as if it were the same. Where ``seconds_lost`` is 0, so do the words.

    Attributes:
        reason: Why: ``unknown``, ``failed``, ``mid_file``, ``behind``, ``ended``, ``session_lost``
            or ``model_gone``.
        seconds_lost: Audio that was acknowledged and whose words may never come, at most.
        seconds: Time without a connection.
    """

    reason: str
    seconds_lost: float
    seconds: float


ConnectionEvent = Reconnecting | Resumed | Restarted
"""How the connection fares, for those who want to know."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event: everything accepted is transcribed.

    Attributes:
        duration: Seconds of audio accepted; ``None`` where the server does not say.
    """

    duration: float | None


Event = Final | Interim | ServerError | GoingAway | ConnectionEvent | Ended
"""What iterating over a session yields."""
