"""What the fields of a form ask for. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from scripta_common.sessionlog import SessionOptions
from scripta_gateway.audio.decoder import AudioFormat
from scripta_gateway.dialects.asks import Options
from scripta_gateway.dialects.ignored import nameable
from scripta_gateway.dialects.keyterms import of_prompt
from scripta_gateway.dialects.openai.errors import BadField

T = TypeVar("T", bound=StrEnum)


class Shape(StrEnum):
    """The form of an answer."""

    JSON = "json"
    TEXT = "text"
    SRT = "srt"
    VTT = "vtt"
    VERBOSE = "verbose_json"


class Granularity(StrEnum):
    """What a verbose answer has times of."""

    SEGMENT = "segment"
    WORD = "word"


_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_STREAMED: Final = (Shape.JSON, Shape.TEXT)
_TIMED: Final = (Shape.SRT, Shape.VTT)
_LOGPROBS: Final = "logprobs"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client wants of its recording.

    Attributes:
        model: Name of a model, as the client gave it.
        language: The one language that is spoken; ``None`` leaves it to the engine.
        shape: Form of the answer.
        granularities: What a verbose answer has times of.
        stream: Whether the answer comes in events, while the recording is transcribed.
        logprobs: Whether the answer has the logarithm of each word's probability.
        keyterms: What is probably said.
        ignored: Names of fields that were given and have no effect.
    """

    model: str | None = None
    language: str | None = None
    shape: Shape = Shape.JSON
    granularities: frozenset[Granularity] = frozenset()
    stream: bool = False
    logprobs: bool = False
    keyterms: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @classmethod
    def of(cls, fields: Iterable[tuple[str, str]]) -> Wanted:
        """Returns what fields ask for; raises ``BadField`` for the first that is bad."""
        given: dict[str, list[str]] = {}
        for name, value in fields:
            if value:
                given.setdefault(name.removesuffix("[]"), []).append(value)
        languages = [_matching(_LANGUAGE, "language", each) for each in _languages(given)]
        shape = _one_of(Shape, "response_format", given.pop("response_format", ["json"])[-1])
        stream = _flag("stream", given.pop("stream", ["false"])[-1])
        if stream and shape not in _STREAMED:
            raise BadField(f"stream has no response_format {shape}; ask for json", "stream")
        model = given.pop("model", [""])[-1]
        named = "timestamp_granularities"
        return cls(
            model=_matching(_MODEL, "model", model) if model else None,
            language=languages[0] if len(languages) == 1 else None,
            shape=shape,
            granularities=frozenset(
                _one_of(Granularity, named, each) for each in given.pop(named, [])
            ),
            stream=stream,
            logprobs=_LOGPROBS in given.pop("include", []),
            keyterms=of_prompt(given.pop("prompt", [""])[-1], given.pop("keywords", [])),
            ignored=nameable(given),
        )

    def options(self, own_name: Callable[[str | None], str | None]) -> Options:
        """Returns what this asks of the call; ``own_name`` returns our name of a model."""
        words = Granularity.WORD in self.granularities and self.shape is Shape.VERBOSE
        session = SessionOptions(
            language=self.language,
            model=own_name(self.model),
            word_times=words or self.logprobs or self.shape in _TIMED,
            upload=True,
            keyterms=self.keyterms,
        )
        return Options(AudioFormat(files_only=True), session)

    @property
    def media_type(self) -> str:
        """Type of the answer."""
        if self.stream:
            return "text/event-stream"
        if self.shape in (Shape.JSON, Shape.VERBOSE):
            return "application/json"
        return "text/vtt; charset=utf-8" if self.shape is Shape.VTT else "text/plain; charset=utf-8"


def _languages(given: dict[str, list[str]]) -> Iterable[str]:
    said = given.pop("languages", []), given.pop("language", [])[-1:]
    return dict.fromkeys(tag for tags in said for tag in tags if tag != "auto")


def _matching(pattern: re.Pattern[str], name: str, value: str) -> str:
    if not pattern.fullmatch(value) or len(value) > 128:
        raise BadField(f"Bad value for {name}: {value[:40]!r}", name)
    return value


def _one_of(kind: type[T], name: str, value: str) -> T:
    if value not in list(kind):
        message = f"{name} has to be one of {', '.join(kind)}; {value[:40]!r} is not served"
        raise BadField(message, name)
    return kind(value)


def _flag(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false", "1", "0"):
        raise BadField(f"{name} has to be true or false", name)
    return value.lower() in ("true", "1")
