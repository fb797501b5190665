"""One client: streams a plan at its pace and notes every final with the time it came.

It is a plain client of the native dialect: a connection that closes before it should is counted
and not opened again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

FINALIZE = '{"type":"finalize"}'
END = '{"type":"end"}'
_OPEN_SECONDS = 15.0
_AGAIN_SECONDS = 0.2
_UNAVAILABLE = 503

Final = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a session does.

    Attributes:
        name: What it says, for people.
        messages: Audio, or the text of a command. Iterating may end before all are given, where
            the end of the stream is decided while it goes on.
        pace: Seconds from one message to the next.
        delay: Seconds until it starts.
        first: Seconds from the opening to the first message.
        options: What it asks for: query parameters.
        container: Whether its messages are parts of a compressed stream.
    """

    name: str
    messages: Sequence[bytes | str]
    pace: float
    delay: float = 0.0
    first: float = 0.0
    options: Mapping[str, str] = field(default_factory=dict)
    container: bool = False

    @property
    def seconds(self) -> float:
        """How long the stream lasts, at most."""
        return self.pace * len(self.messages)

    @property
    def audio(self) -> tuple[bytes, ...]:
        """The messages that are owed an acknowledgement."""
        return tuple(message for message in self.messages if isinstance(message, bytes))


@dataclass(slots=True)
class Heard:
    """What came back. Times are seconds on the stream's clock, which starts with its audio.

    Attributes:
        sid: The session's id, once it is open.
        finals: Every final in the order of arrival.
        arrivals: When each came.
        acks: Sizes that were acknowledged.
        duration: Seconds of audio that the server says it took; ``None`` without a regular end.
        troubles: Connections closed or refused, and errors that were sent.
        closes: How each connection closed that did before the end.
        late: Longest that a message was sent behind its time: what the client itself missed.
    """

    sid: str = ""
    finals: list[Final] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    acks: list[int] = field(default_factory=list)
    duration: float | None = None
    troubles: list[str] = field(default_factory=list)
    closes: list[str] = field(default_factory=list)
    late: float = 0.0

    @property
    def closed(self) -> int:
        """Connections that closed before the end."""
        return len(self.closes)


Speak = Callable[[str, Plan, Heard, float], Coroutine[Any, Any, None]]
"""Runs a plan against a ``ws://`` address, filling in what is heard, with seconds of patience."""


async def speak(url: str, plan: Plan, heard: Heard, patience: float) -> None:
    """Streams over one connection; returns when it is closed, whoever closed it.

    Args:
        url: Address of the native dialect.
        plan: What to stream.
        heard: Filled in as it comes.
        patience: Seconds to wait for the last finals after the end of the stream.
    """
    address = f"{url}?{urlencode({'events': 'true', **plan.options})}"
    await asyncio.sleep(plan.delay)
    try:
        async with (
            asyncio.timeout(plan.seconds + patience),
            await _open(address) as socket,
        ):
            assert socket.response is not None
            heard.sid = socket.response.headers["scripta-session"]
            began = asyncio.get_running_loop().time()
            listening = asyncio.create_task(_listen(socket, heard, began))
            try:
                await _send(socket, plan, heard, began)
                await listening
            finally:
                listening.cancel()
    except TimeoutError:
        heard.troubles.append("not over in time")
    except ConnectionClosed as error:
        _note_close(heard, f"closed with {error.rcvd.code if error.rcvd else 1006}")
    except (InvalidHandshake, OSError) as error:
        _note_close(heard, f"not opened: {error}")


async def _open(url: str) -> ClientConnection:
    """Opens a connection; a gateway that can not take it right now (503) is asked again.

    Raises:
        InvalidHandshake, OSError: It is refused otherwise, or for too long.
    """
    clock = asyncio.get_running_loop().time
    give_up_at = clock() + _OPEN_SECONDS
    while True:
        try:
            return await connect(url, compression=None, max_queue=None)
        except InvalidStatus as refusal:
            if refusal.response.status_code != _UNAVAILABLE or clock() >= give_up_at:
                raise
            await asyncio.sleep(_AGAIN_SECONDS)


def _note_close(heard: Heard, how: str) -> None:
    heard.closes.append(how)
    heard.troubles.append(how)


async def _send(socket: ClientConnection, plan: Plan, heard: Heard, began: float) -> None:
    clock = asyncio.get_running_loop().time
    for number, message in enumerate(plan.messages):
        due = began + plan.first + number * plan.pace
        await asyncio.sleep(due - clock())
        heard.late = max(heard.late, clock() - due)
        await socket.send(message)
    await socket.send(END)


async def _listen(socket: ClientConnection, heard: Heard, began: float) -> None:
    clock = asyncio.get_running_loop().time
    try:
        while True:
            frame = json.loads(await socket.recv())
            match frame["status"]:
                case "transcript":
                    heard.finals.append(frame)
                    heard.arrivals.append(clock() - began)
                case "received":
                    heard.acks.append(frame["size"])
                case "ended":
                    heard.duration = frame["duration"]
                case "error":
                    heard.troubles.append(frame["error"])
    except ConnectionClosed as error:
        code = error.rcvd.code if error.rcvd else 1006
        if code != 1000 or heard.duration is None:
            _note_close(heard, f"closed with {code}")
