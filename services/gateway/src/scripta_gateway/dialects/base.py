"""What a dialect is: a pure codec for each call, and what it leaves to the call that drives it.

A dialect does no input or output, has no clock and awaits nothing. Its codec reads frames into asks
and writes what is told into frames. Whatever a codec needs of the world (the time, an id) stands in
the request that the call began with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from scripta_common.errors import ScriptaError
from scripta_gateway.dialects.asks import Ask, Options, Return
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.dialects.told import Opened, Told
from scripta_gateway.transports.base import Close, Frame, Greeting, Refusal, Request


@dataclass(frozen=True, slots=True)
class Policy:
    """What a dialect leaves to the call, and within which bounds.

    Attributes:
        acks: Whether clients hear of each message that is accepted; otherwise the codec is not
            told of it.
        flushes: Whether silence on the wire finalizes what was said.
        close: Seconds of silence until a call is closed; ``None`` for the gateway's setting.
        first: The same before the first audio; ``None`` for the gateway's setting.
        audio_in_text: Whether text messages bring audio, and so may be large.
        last_words: Whether a gateway that goes away tells what was said before it closes the call;
            for clients that begin anew elsewhere, and have no other way to it.
        utterance: Whether a call is one utterance, most of which are short: a gateway that goes
            gives its client the time to end it. Only with ``last_words``.
        renews: Whether other options behind the first audio begin another session of the call, once
            all of the one before it has been told; otherwise they are refused.
        goes_on_after_bad_audio: Whether audio that can not be decoded is refused and the call goes
            on; otherwise the call ends by it.
        gathers: Whether all finals are kept until the end, for one answer with all of them; a call
            with too many words for that ends.
        refusals_end: Whether the first message that is refused ends the call: its client has one
            answer to hear, and no more.
        key_prefix: What the WebSocket subprotocol begins with in which browsers show a key; empty:
            it is the one behind ``token`` or ``bearer``.
    """

    acks: bool = True
    flushes: bool = True
    close: float | None = None
    first: float | None = None
    audio_in_text: bool = False
    last_words: bool = False
    utterance: bool = False
    renews: bool = False
    goes_on_after_bad_audio: bool = True
    gathers: bool = False
    refusals_end: bool = False
    key_prefix: str = ""


class Codec(Protocol):
    """One call's side of a dialect."""

    @property
    def options(self) -> Options:
        """What is asked of the call's sessions by its beginning."""
        ...

    @property
    def resumable(self) -> bool:
        """Whether the client is told how to come back to its session."""
        ...

    @property
    def returns(self) -> Return | None:
        """The session that the client comes back to, if it does."""
        ...

    def greet(self, opened: Opened) -> Greeting:
        """Returns what goes with the answer to a handshake, or to a request once it begins."""
        ...

    def read(self, frame: Frame) -> Sequence[Ask]:
        """Returns what a frame asks for; never raises for what a client can send."""
        ...

    def oversized(self, *, is_text: bool, limit: int) -> Sequence[Ask]:
        """Returns what becomes of a message of more than ``limit`` bytes, which was not kept."""
        ...

    def finish(self) -> Sequence[Ask]:
        """Returns what the end of a body asks for; a WebSocket has no such end."""
        ...

    def write(self, news: Told) -> Sequence[Frame]:
        """Returns the frames by which the client hears it; perhaps none."""
        ...

    def close(self, error: ScriptaError | None) -> Close:
        """Returns how the call ends, behind the frames of the error; ``None``: it is complete."""
        ...


class Dialect(Protocol):
    """A wire protocol that clients speak."""

    @property
    def name(self) -> DialectName:
        """The label of its metrics and traces."""
        ...

    @property
    def policy(self) -> Policy:
        """What it leaves to the call."""
        ...

    def begin(self, request: Request) -> Codec:
        """Returns the codec of a new call; raises ``ScriptaError`` if the call can not begin."""
        ...

    def refuse(self, request: Request, error: ScriptaError) -> Refusal:
        """Returns the answer to a call that does not begin."""
        ...
