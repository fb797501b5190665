"""Told: what a client is to hear of its call, in words that belong to no dialect. Pure data.

The call tells the codec, in the order in which the client has to hear it; the codec writes frames.
Channels are counted from 0; times are seconds on a channel's audio clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scripta_common.errors import ScriptaError
from scripta_common.wire import Final, Interim, Speech


@dataclass(frozen=True, slots=True)
class Opened:
    """The call's sessions stand: at the handshake where the options were known then, or later.

    Attributes:
        session: Id of the first channel's session, by which logs and traces know it.
        client_id: The client's number.
        model: Own name of the model that transcribes; ``None`` where that is not known yet.
        resumed: Whether it is the session that the client came back to.
        received: Audio messages accepted since the session's start.
        resume_seconds: How long the session waits for its client if the connection breaks.
        reason: Why the session that was asked for could not be taken up.
        token: What the client comes back by; only where the session is new and can be taken up.
        keyterms: Whether the model can be given keyterms.
    """

    session: str
    client_id: int
    model: str | None = None
    resumed: bool = False
    received: int = 0
    resume_seconds: float = 0.0
    reason: str | None = None
    token: str | None = field(default=None, repr=False)
    keyterms: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """The log has an audio message.

    Attributes:
        size: Size of the message in bytes.
    """

    size: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A message is refused; the call goes on.

    Attributes:
        message: What is wrong and what to do, in plain words.
        detail: What the codec gave with its ask; an error if it gave nothing and the call refused.
    """

    message: str
    detail: object = None


@dataclass(frozen=True, slots=True)
class Configured:
    """The options of an ``asks.Configure`` hold.

    Attributes:
        detail: What the codec gave with it.
        behind: Seconds of the call's audio that were in sessions before the one at hand: its times
            begin anew.
        keyterms: Whether the model of the session can be given keyterms.
    """

    detail: object = None
    behind: float = 0.0
    keyterms: bool = False


@dataclass(frozen=True, slots=True)
class Noted:
    """It is the turn of an ``asks.Note``.

    Attributes:
        detail: What the codec gave with it.
    """

    detail: object


@dataclass(frozen=True, slots=True)
class Warned:
    """Something is probably not as the client means it; its audio is taken all the same."""

    message: str


@dataclass(frozen=True, slots=True)
class Heard:
    """Speech began or ended; only for sessions with ``speech_events``."""

    channel: int
    speech: Speech


@dataclass(frozen=True, slots=True)
class Guess:
    """An interim."""

    channel: int
    result: Interim


@dataclass(frozen=True, slots=True)
class Decided:
    """A final."""

    channel: int
    result: Final


@dataclass(frozen=True, slots=True)
class Voices:
    """The number of channels is known: at the opening, or with the first audio of a file."""

    count: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Everything accepted is transcribed; the close follows.

    Attributes:
        seconds: Length of the audio, of the longest channel.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The call can not go on; the close follows.

    Attributes:
        error: Why. ``Draining``: this gateway goes away.
        received: Audio messages accepted since the session's start.
    """

    error: ScriptaError
    received: int = 0


Told = (
    Opened
    | Accepted
    | Refused
    | Configured
    | Noted
    | Warned
    | Heard
    | Guess
    | Decided
    | Voices
    | Ended
    | Failed
)
