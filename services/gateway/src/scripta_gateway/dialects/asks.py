"""Asks: what a client wants of its call, in words that belong to no dialect. Pure data.

A codec reads frames into asks; the call carries them out, in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scripta_common.errors import BadRequest
from scripta_common.sessionlog import SessionOptions
from scripta_gateway.access.resume_tokens import ResumeToken
from scripta_gateway.audio.decoder import AudioFormat


@dataclass(frozen=True, slots=True)
class Callback:
    """Results go to a URL, and not to the client.

    Attributes:
        url: The URL; it may have credentials in it.
        method: HTTP method of the requests that bring them.
        receipt: What a request is answered once all that it brings has come; ``None`` for a client
            that stays connected.
    """

    url: str = field(repr=False)
    method: str = "POST"
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a call's sessions; of each channel the same.

    Attributes:
        format: What the client says about its audio.
        session: What concerns the session; the pool and the numbers in it are not asked for.
        callback: Where results go in place of the client; only at the call's beginning.
    """

    format: AudioFormat = field(default_factory=AudioFormat)
    session: SessionOptions = field(default_factory=SessionOptions)
    callback: Callback | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """A client comes back to its session.

    Attributes:
        token: What the client shows for it.
        index: Last result that the client has.
    """

    token: ResumeToken
    index: int


class Ahead(BadRequest):
    """The client says that it has more results than there are.

    Attributes:
        index: The last one that there is.
    """

    def __init__(self, asked: int, index: int) -> None:
        super().__init__(f"{asked} is beyond the session's last transcript, which is {index}")
        self.index = index


@dataclass(frozen=True, slots=True)
class Configure:
    """Options become known, or change, before the first audio; they replace those before them.

    Behind the first audio they begin another session (``Policy.renews``), or are refused if they
    would change what the session is. In its turn ``told.Configured`` or ``told.Refused`` follows.

    Attributes:
        options: The options.
        detail: What the codec needs to know again when it answers.
    """

    options: Options
    detail: object = None


@dataclass(frozen=True, slots=True)
class Audio:
    """A message of audio, as the client sent it: raw or coded, by the options' format.

    Attributes:
        data: Its bytes; none are refused.
        size: Size of the message as the client counts it; by default the length of ``data``.
    """

    data: bytes
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Fetch:
    """The rest of what the client would send is read from a URL; its end ends the stream.

    The codec reads what comes from there as if the client had sent it.

    Attributes:
        url: The URL; it may have credentials in it.
    """

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Finalize:
    """Ends the open segment now; exactly one final with the reason ``finalize`` follows.

    Attributes:
        channel: The channel; ``None`` for every one.
    """

    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """Drops what was sent and is in no final yet."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Nothing but a sign of life."""


@dataclass(frozen=True, slots=True)
class End:
    """Ends the stream: the last finals follow, then ``told.Ended``."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The message is refused, and the call goes on; too many in a row end it.

    ``told.Refused`` follows in its turn.

    Attributes:
        message: What is wrong and what to do, in plain words.
        detail: What the codec needs to know again when it writes the refusal.
    """

    message: str
    detail: object = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Frames that answer the message at hand, behind the answers to those before it."""

    frames: tuple[str | bytes, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """The codec wants to write something in its turn: ``told.Noted`` follows.

    Unlike a ``Reply``, what is written can depend on what was told meanwhile.

    Attributes:
        detail: What the codec needs to know again then.
    """

    detail: object


Ask = Configure | Audio | Fetch | Finalize | Clear | KeepAlive | End | Refuse | Reply | Note
