"""Frames of the native dialect: what a client may say and what it hears. Pure.

Owns the names and forms on the wire at ``/ws``. Does not know sockets or the session log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    ValidationError,
)

from scripta_common.errors import BadRequest, ScriptaError
from scripta_common.sessionlog import SessionOptions
from scripta_common.wire import Final, Interim, Word
from scripta_gateway.access.resume_tokens import ResumeToken
from scripta_gateway.bounds import KEYTERM_CHARACTERS, KEYTERMS
from scripta_gateway.dialects.asks import Ahead
from scripta_gateway.dialects.ignored import nameable
from scripta_gateway.dialects.keyterms import keyterms, listed_in
from scripta_gateway.dialects.told import Opened
from scripta_gateway.text import TextRules

_LANGUAGE = r"^(auto|[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)$"
_LONGEST_TAG = 35
"""Characters that a language tag can need, by the standard of tags (RFC 5646)."""
_MODEL = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$"
_MOST_RESULTS = 2**53 - 1
"""What the session log's scripts count to exactly."""
_FLAG = "true or false"
_ENGLISH = ("numerals", "profanity_filter", "redact")
"""What knows English words only."""


def _terms(given: object) -> object:
    return keyterms("keyterms", listed_in(given)) if isinstance(given, str) else given


def _kinds(given: object) -> object:
    return given.split(",") if isinstance(given, str) else given


class Query(BaseModel):
    """Query parameters of ``/ws``; unknown names are tolerated, and told.

    A parameter's description says what its value is; it follows ``Bad value for …: it has to be``.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    encoding: Literal["linear16", "mulaw", "alaw"] | None = Field(
        None, description="linear16, mulaw or alaw"
    )
    sample_rate: int = Field(16_000, ge=8_000, le=96_000, description="a number from 8000 to 96000")
    channels: int = Field(1, ge=1, le=8, description="a number from 1 to 8")
    language: str | None = Field(
        None,
        pattern=_LANGUAGE,
        max_length=_LONGEST_TAG,
        description="a language tag such as en or en-GB, or auto",
    )
    model: str | None = Field(
        None, pattern=_MODEL, description="the name of a model, such as moonshine"
    )
    interim_results: bool = Field(False, description=_FLAG)
    endpointing: int | None = Field(
        None, ge=100, le=5_000, description="a number of milliseconds from 100 to 5000"
    )
    max_segment: int | None = Field(
        None, ge=2_000, le=30_000, description="a number of milliseconds from 2000 to 30000"
    )
    word_times: bool = Field(True, description=_FLAG)
    keyterms: Annotated[tuple[str, ...], BeforeValidator(_terms)] = Field(
        (),
        description=f"at most {KEYTERMS} terms with commas between them, "
        f"{KEYTERM_CHARACTERS} characters in all",
    )
    events: bool = Field(False, description=_FLAG)
    punctuate: bool = Field(True, description=_FLAG)
    numerals: bool = Field(False, description=_FLAG)
    profanity_filter: bool = Field(False, description=_FLAG)
    redact: Annotated[frozenset[Literal["numbers", "pci", "ssn"]], BeforeValidator(_kinds)] = Field(
        frozenset(), description="numbers, pci or ssn, or several with commas between them"
    )
    upload: bool = Field(False, description=_FLAG)
    resume: Annotated[ResumeToken, PlainValidator(ResumeToken.parse)] | None = Field(
        None,
        repr=False,
        description="a token as the first frame of a session's first connection tells it",
    )
    from_: int = Field(
        0,
        ge=0,
        le=_MOST_RESULTS,
        alias="from",
        description="the index of the last transcript that you have, or 0",
    )
    _ignored: tuple[str, ...] = PrivateAttr(())

    @classmethod
    def parse(cls, parameters: Iterable[tuple[str, str]]) -> Query:
        """Returns the parameters; raises ``BadRequest`` that names the first bad one.

        Nothing of what was sent is repeated: it may be a token, under whatever name.
        """
        takes = {field.alias or name: field.description for name, field in cls.model_fields.items()}
        given: dict[str, str] = {}
        for name, value in parameters:
            if name in given and name in takes:
                raise BadRequest(f"{name} is given more than once")
            given[name] = value
        try:
            query = cls.model_validate(given)
        except ValidationError as error:
            name = str(error.errors(include_url=False, include_input=False)[0]["loc"][0])
            raise BadRequest(f"Bad value for {name}: it has to be {takes[name]}") from None
        if query.resume is not None and not query.events:
            raise BadRequest("resume needs events=true: the first frame tells what came of it")
        unknown = [name for name in given if name not in takes]
        if not f"{query.language or 'auto'}-".lower().startswith(("en-", "auto-")):
            unknown += [name for name in _ENGLISH if getattr(query, name)]
        query._ignored = nameable(unknown)
        return query

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names that were given and have no effect."""
        return self._ignored

    def rules(self) -> TextRules:
        """Returns what is done to the text of each result."""
        return TextRules(
            punctuated=self.punctuate,
            numerals=self.numerals,
            masks_profanity=self.profanity_filter,
            redacted=frozenset(self.redact),
        )

    def options(self) -> SessionOptions:
        """Returns what of this concerns the session."""
        return SessionOptions(
            language=None if self.language == "auto" else self.language,
            interim_results=self.interim_results,
            endpointing_ms=self.endpointing,
            max_segment_ms=self.max_segment,
            model=self.model,
            word_times=self.word_times,
            keyterms=self.keyterms,
            upload=self.upload,
        )


class Command(StrEnum):
    """What a client's text frame asks for."""

    FINALIZE = "finalize"
    KEEPALIVE = "keepalive"
    END = "end"


class BadFrame(Exception):
    """A text frame that is not understood; the message is for the client."""


class _Frame(msgspec.Struct):
    """What is of interest in a text frame; whatever else is in it is passed over unread."""

    type: str


def parse_command(text: str) -> Command:
    """Returns the command of a text frame; raises ``BadFrame``."""
    try:
        kind = msgspec.json.decode(text, type=_Frame).type
    except msgspec.ValidationError:
        raise BadFrame('Message has no "type"') from None
    except (msgspec.DecodeError, RecursionError):
        raise BadFrame("Message is not valid JSON") from None
    try:
        return Command(kind)
    except ValueError:
        known = ", ".join(Command)
        raise BadFrame(f"Unknown message type: {kind[:40]!r} (known: {known})") from None


def received(size: int) -> str:
    """Returns the acknowledgement of an audio message of ``size`` bytes."""
    return f'{{"status":"received","size":{size}}}'


def refused(message: str) -> str:
    """Returns the error for one message, or for a handshake."""
    return _json({"status": "error", "error": message})


def not_opened(error: ScriptaError) -> str:
    """Returns the answer to a handshake that is refused."""
    if isinstance(error, Ahead):
        message = f"Bad value for from: {error}"
        return _json({"status": "error", "error": message, "index": error.index})
    return refused(str(error))


def failed(error: ScriptaError) -> str:
    """Returns the error that ends a session; a close follows."""
    return _json({"status": "error", "error": str(error), "code": error.code})


def opened(how: Opened, ignored: Sequence[str] = ()) -> str:
    """Returns the first event of a connection: how a session came to it.

    Args:
        how: How it came to it.
        ignored: Query parameters that have no effect.
    """
    fields = {name: value for name, value in asdict(how).items() if value is not None}
    for name in ("model", "keyterms"):
        fields.pop(name, None)
    if ignored:
        fields["ignored"] = ignored
    return _json({"status": "session", **fields})


def going_away(received_messages: int) -> str:
    """Returns the event that announces a drain, with what to come back from."""
    return _json({"status": "going_away", "received": received_messages})


def warning(message: str) -> str:
    """Returns the event that something is probably not as the client means it."""
    return _json({"status": "warning", "warning": message})


def ended(seconds: float) -> str:
    """Returns the event before a normal close."""
    return _json({"status": "ended", "duration": round(seconds, 3)})


def transcript(client_id: int, final: Final) -> str:
    """Returns the frame of a final."""
    return _json(
        {
            "client_id": client_id,
            "text": final.text,
            "status": "transcript",
            "index": final.index,
            "start": round(final.start, 3),
            "end": round(final.end, 3),
            "reason": final.reason.value,
            "words": [_word(word) for word in final.words],
            "words_estimated": final.words_estimated,
            "confidence": None if final.confidence is None else round(final.confidence, 3),
            "language": final.language,
        }
    )


def interim(client_id: int, result: Interim) -> str:
    """Returns the frame of an interim."""
    return _json(
        {
            "client_id": client_id,
            "text": result.text,
            "status": "interim",
            "stable": result.stable,
            "start": round(result.start, 3),
            "end": round(result.end, 3),
        }
    )


def _word(word: Word) -> dict[str, Any]:
    frame = {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}
    return frame if word.confidence is None else {**frame, "confidence": round(word.confidence, 3)}


def _json(frame: dict[str, Any]) -> str:
    return msgspec.json.encode(frame).decode()
