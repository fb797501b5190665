"""The native dialect's frames and address, as pure functions.

Owns the names on the wire. A frame is text in JSON; what a newer server adds (further keys,
further kinds of frame) is ignored, what is missing or of the wrong type is a violation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from scripta_client.errors import InvalidUrl, ProtocolViolation
from scripta_client.events import Ended, Final, GoingAway, Interim, Word

Encoding = Literal["linear16", "mulaw", "alaw"]

FINALIZE = '{"type":"finalize"}'
KEEPALIVE = '{"type":"keepalive"}'
END = '{"type":"end"}'

SAMPLE_RATE = 16_000
"""Samples per second of raw audio where nothing is said."""

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_SAMPLE_BYTES: dict[Encoding, int] = {"linear16": 2, "mulaw": 1, "alaw": 1}


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How raw audio is encoded; all ``None`` lets the server look at the first bytes."""

    encoding: Encoding | None = None
    sample_rate: int | None = None
    channels: int | None = None

    @property
    def bytes_per_frame(self) -> int:
        """Bytes of one sample of all channels, with the server's defaults for the rest."""
        return _SAMPLE_BYTES[self.encoding or "linear16"] * (self.channels or 1)

    @property
    def bytes_per_second(self) -> int:
        """Bytes of a second, with the server's defaults where nothing is said."""
        return self.bytes_per_frame * (self.sample_rate or SAMPLE_RATE)


SNIFFED = AudioFormat()
DECODED = AudioFormat("linear16", SAMPLE_RATE, 1)
"""What the server takes as it is: the only form in which a broken stream is taken up exactly."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client left off: how it comes back to its session.

    Attributes:
        token: What takes the session up again.
        index: Index of the last final that the client has; 0 for none.
    """

    token: str = field(repr=False)
    index: int


@dataclass(frozen=True, slots=True)
class Options:
    """What a client asks of a session; ``None`` leaves the choice to the server.

    Attributes:
        language: BCP-47 tag of the speech.
        interim_results: Whether revisable results are wanted.
        encoding: Encoding of raw audio; ``None`` lets the server look at the first bytes.
        sample_rate: Samples per second of raw audio.
        channels: Channels of raw audio, which the server mixes down.
        endpointing: Milliseconds of silence that end a segment.
        model: Model that transcribes.
        max_segment: Milliseconds after which speech that goes on is cut.
        upload: Whether nobody listens live: the server may let it wait for a slot.
    """

    language: str | None = None
    interim_results: bool | None = None
    encoding: Encoding | None = None
    sample_rate: int | None = None
    channels: int | None = None
    endpointing: int | None = None
    model: str | None = None
    max_segment: int | None = None
    upload: bool | None = None

    @property
    def format(self) -> AudioFormat:
        """How the audio is encoded."""
        return AudioFormat(self.encoding, self.sample_rate, self.channels)

    def address(self, url: str, back_to: Place | None = None) -> str:
        """Returns the WebSocket address that asks for these options.

        ``http`` and ``https`` become ``ws`` and ``wss``, an address without a scheme gets ``ws``, a
        missing path becomes ``/ws``, and what the address already asks for is kept.

        Args:
            url: The gateway.
            back_to: The session to come back to; ``None`` asks for a new one.

        Raises:
            InvalidUrl: If it is not the address of a host.
        """
        try:
            parts = urlsplit(url if "://" in url else f"ws://{url}")
            port = parts.port
        except ValueError as error:
            raise InvalidUrl(f"{url!r} is not an address: {error}") from error
        if parts.scheme not in _SCHEMES or not parts.hostname or port == 0:
            raise InvalidUrl(f"{url!r} is not an address like ws://localhost:8000/ws")
        path = parts.path if parts.path not in ("", "/") else "/ws"
        query = dict(parse_qsl(parts.query)) | self._query()
        if back_to is not None:
            query |= {"resume": back_to.token, "from": str(back_to.index)}
        return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, urlencode(query), ""))

    def _query(self) -> dict[str, str]:
        asked = {field.name: getattr(self, field.name) for field in fields(self)}
        texts = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in asked.items()
            if value is not None
        }
        return texts | {"events": "true"}


@dataclass(frozen=True, slots=True)
class Received:
    """An audio message is accepted; ``size`` is its size in bytes."""

    size: int


@dataclass(frozen=True, slots=True)
class Opened:
    """The first frame of a connection: which session it has.

    Attributes:
        session: The session's id.
        client_id: The number in each of its results.
        resumed: Whether it is the session that was asked for.
        received: Audio messages of it that were accepted so far.
        resume_seconds: How long it waits for a client whose connection broke; ``None`` where
            the server does not say.
        reason: Why it is not the session that was asked for; empty where that is not so.
        token: What takes the session up again; empty where it was told before.
    """

    session: str
    client_id: int
    resumed: bool = False
    received: int = 0
    resume_seconds: float | None = None
    reason: str = ""
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error frame: of one message, or with a ``code`` of the whole session."""

    message: str
    code: str | None


Frame = Received | Opened | Failure | Final | Interim | GoingAway | Ended


def parse(data: str | bytes) -> Frame | None:
    """Returns what a frame from the server says, or ``None`` for a kind not known here.

    Raises:
        ProtocolViolation: If it is no frame of the dialect.
    """
    if isinstance(data, bytes):
        raise ProtocolViolation("it sent a binary message")
    try:
        content = json.loads(data)
    except ValueError:
        raise ProtocolViolation(f"it sent {data[:80]!r}") from None
    if not isinstance(content, dict):
        raise ProtocolViolation(f"it sent {data[:80]!r}")
    frame = _Fields(content)
    match content.get("status"):
        case "received":
            return Received(frame.integer("size"))
        case "transcript":
            return _final(frame)
        case "interim":
            return Interim(
                frame.text("text"),
                frame.text("stable", ""),
                frame.number("start"),
                frame.number("end"),
            )
        case "error":
            return Failure(frame.text("error"), frame.text("code", "") or None)
        case "session":
            return _opened(frame)
        case "going_away":
            return GoingAway()
        case "ended":
            return Ended(frame.number("duration"))
    return None


def _opened(frame: _Fields) -> Opened:
    waits = frame.content.get("resume_seconds")
    return Opened(
        session=frame.text("session"),
        client_id=frame.integer("client_id"),
        resumed=frame.content.get("resumed") is True,
        received=frame.integer("received", 0),
        resume_seconds=None if waits is None else frame.number("resume_seconds"),
        reason=frame.text("reason", ""),
        token=frame.text("token", ""),
    )


def _final(frame: _Fields) -> Final:
    confidence = frame.content.get("confidence")
    return Final(
        index=frame.integer("index"),
        text=frame.text("text"),
        start=frame.number("start"),
        end=frame.number("end"),
        reason=frame.text("reason", ""),
        words=tuple(
            Word(word.text("word"), word.number("start"), word.number("end"))
            for word in frame.items("words")
        ),
        words_estimated=frame.content.get("words_estimated") is True,
        confidence=None if confidence is None else frame.number("confidence"),
        language=frame.text("language", "") or None,
    )


@dataclass(frozen=True, slots=True)
class _Fields:
    """The keys of a JSON object, read with the type they must have."""

    content: Mapping[str, Any]

    def text(self, name: str, default: str | None = None) -> str:
        value = self.content.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self._wrong(name)
        return value

    def number(self, name: str) -> float:
        value = self.content.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name)
        return float(value)

    def integer(self, name: str, default: int | None = None) -> int:
        value = self.content.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(name)
        return value

    def items(self, name: str) -> list[_Fields]:
        value = self.content.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(name)
        return [_Fields(item) for item in value]

    def _wrong(self, name: str) -> ProtocolViolation:
        status = self.content.get("status", "word")
        return ProtocolViolation(f"{name!r} of a {status!r} frame is missing or of a wrong type")
