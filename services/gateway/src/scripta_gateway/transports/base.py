"""What crosses a transport, whatever it is made of: requests, frames and how a call ends.

A transport moves bytes. It receives a frame, sends a frame, refuses a call before the call begins,
and closes with a code and a reason. It knows no dialect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from scripta_common.errors import ScriptaError
from scripta_gateway.transports.events import Oversized

REFUSED: Final = "scripta.refused"
"""Key of an ASGI scope: the ``ScriptaError`` with which a request is refused, or ``None``."""

Frame = str | bytes
"""A message: text or binary on a WebSocket; a piece of a body or of a stream elsewhere."""


class Gone(Exception):
    """The client's end of the transport is closed.

    Attributes:
        code: WebSocket close code; 1006 where the connection ended without one.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class Request:
    """How a call began.

    Attributes:
        id: Id of the call, for its client to ask about: 32 hexadecimal digits.
        at: Unix time in seconds at which the call began.
        path: Path of the request; empty where the transport has none.
        query: Query parameters in order, a name perhaps more than once.
        headers: Headers, names in lower case; of a name that comes twice the last.
        subprotocols: WebSocket subprotocols that the client offers.
        client: Address of the client, as far as proxies that are trusted know it; may be empty.
        keyless: Whether it came in by a port whose clients can show no key.
        objection: Why it is refused whatever it asks for, if it is.
        preset: How the call begins, as its caller's token has it; in the form of one dialect, which
            alone can read it.
    """

    id: str
    at: float
    path: str = ""
    query: Sequence[tuple[str, str]] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    subprotocols: Sequence[str] = field(default=(), repr=False)
    client: str = ""
    keyless: bool = False
    objection: ScriptaError | None = None
    preset: str = field(default="", repr=False)

    def check(self) -> None:
        """Raises why the request is refused, if it is."""
        if self.objection is not None:
            raise self.objection


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer to a call that does not begin, or that fails before anything was sent.

    Attributes:
        status: HTTP status.
        body: Body.
        headers: Further headers; ``Retry-After`` and the request's id need not be among them.
        media_type: Type of the body.
    """

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Greeting:
    """What goes with the answer to a handshake or a request.

    Attributes:
        headers: Headers.
        subprotocol: The WebSocket subprotocol that is selected.
        media_type: Type of the body of an HTTP answer.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    subprotocol: str | None = None
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Close:
    """How a call ends.

    Attributes:
        code: WebSocket close code.
        reason: WebSocket close reason; the transport shortens it to what fits into a frame.
        refusal: The same as an HTTP answer, for a transport that has sent nothing yet.
    """

    code: int
    reason: str = ""
    refusal: Refusal | None = None


class Transport(Protocol):
    """One client's connection, behind its handshake."""

    async def receive(self) -> Frame | Oversized | None:
        """Returns the next frame; ``None`` at the end of a body. Cancelled, it loses none.

        Raises:
            Gone: The client has closed, or is lost.
        """
        ...

    async def send(self, frame: Frame) -> None:
        """Sends a frame; waits while the client does not read what was sent before.

        Raises:
            Gone: The client has closed, or is lost.
        """
        ...

    async def close(self, close: Close) -> None:
        """Says goodbye; raises ``Gone`` if the client has gone before."""
        ...
