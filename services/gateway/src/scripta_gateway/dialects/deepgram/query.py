"""Query parameters of ``/v1/listen``, live and of recordings. Pure.

All that the vendor knows are taken, and any other. What has no effect here is named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
)

from scripta_common.errors import BadRequest
from scripta_common.sessionlog import SessionOptions
from scripta_gateway.audio.decoder import AudioFormat
from scripta_gateway.dialects.asks import Options

_ABSENT: Final = frozenset({"", "none", "null", "undefined"})
"""What packages send for a value that their user has not given."""
_FALSE: Final = frozenset({"0", "false", "f", "no", "n", "off"})
_RAW: Final = {"linear16": None, "linear32": None, "mulaw": 8_000, "alaw": 8_000}
"""Encodings without a header, each with its rate where that goes without saying."""
_RATE: Final = 16_000
_ENDPOINTING_MS: Final = (300, 5_000)
"""Shortest and longest silence that ends a segment: a shorter one cuts within sentences."""
_SILENCE_MS: Final = (1_000, 5_000)
_FULFILLED: Final = frozenset({"no_delay", "mip_opt_out", "callback_method"})
"""What is so in any case: nothing is held back, and nothing is kept to learn from."""
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_MOST_NAMED: Final = 32
_FLAG: Final = "true or false"


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _endpointing(value: str) -> int | bool:
    """Returns milliseconds, or whether there is any endpointing."""
    said = value.lower()
    if said.isdecimal():
        return int(said[:9]) or False
    if said not in ("true", "false"):
        raise ValueError
    return said == "true"


_Encoding = Literal[
    "linear16", "linear32", "mulaw", "alaw",
    "flac", "opus", "ogg-opus", "amr-nb", "amr-wb", "speex",
]  # fmt: skip
_Many = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class Query(BaseModel):
    """The parameters that have an effect.

    A parameter's description says what its value is; it follows ``Bad value for …: it has to be``.

    Attributes:
        ignored: Names of those that were given and have none.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    encoding: _Encoding | None = Field(
        None, description="linear16, linear32, mulaw, alaw or that of a container"
    )
    sample_rate: int | None = Field(
        None, ge=8_000, le=96_000, description="a number from 8000 to 96000"
    )
    channels: int = Field(1, ge=1, le=8, description="a number from 1 to 8")
    interim_results: bool = Field(False, description=_FLAG)
    endpointing: Annotated[int | bool, PlainValidator(_endpointing)] = Field(
        True, description="a number of milliseconds, true or false"
    )
    utterance_end_ms: int | None = Field(None, ge=1, description="a number of milliseconds")
    vad_events: bool = Field(False, description=_FLAG)
    punctuate: bool = Field(False, description=_FLAG)
    smart_format: bool = Field(False, description=_FLAG)
    language: str | None = Field(
        None,
        pattern=r"^[A-Za-z]{2,5}(-[A-Za-z0-9]{2,8})*$",
        max_length=35,
        description="a language tag such as en or en-GB, or multi",
    )
    detect_language: bool = Field(False, description=_FLAG)
    model: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$",
        description="the name of a model, such as nova-3",
    )
    tag: _Many = Field((), description="a text")
    extra: _Many = Field((), description="KEY:VALUE")
    ignored: tuple[str, ...] = ()

    @classmethod
    def parse(cls, parameters: Iterable[tuple[str, str]]) -> Query:
        """Returns the parameters; raises ``BadRequest`` that names the first bad one."""
        takes = {name: field.description for name, field in cls.model_fields.items()}
        given: dict[str, Any] = {}
        ignored: dict[str, None] = {}
        for name, value in parameters:
            if value.strip().lower() in _ABSENT or name == "ignored":
                continue
            if name == "callback":
                raise BadRequest("callback is not served; results come on this connection")
            if name in ("tag", "extra"):
                given.setdefault(name, []).append(value)
            elif name in takes:
                given[name] = value
            elif value.lower() not in _FALSE and name not in _FULFILLED and _NAME.fullmatch(name):
                ignored[name] = None
        given["ignored"] = tuple(ignored)[:_MOST_NAMED]
        try:
            query = cls.model_validate(given)
        except ValidationError as error:
            name = str(error.errors(include_url=False, include_input=False)[0]["loc"][0])
            raise BadRequest(f"Bad value for {name}: it has to be {takes[name]}") from None
        if query.raw and query.sample_rate is None and _RAW[query.raw] is None:
            raise BadRequest(f"encoding={query.raw} needs sample_rate")
        return query

    @property
    def raw(self) -> str | None:
        """Encoding of audio that has no header."""
        return self.encoding if self.encoding in _RAW else None

    @property
    def punctuated(self) -> bool:
        """Whether text is as the engine writes it; otherwise lower case without punctuation."""
        return self.punctuate or self.smart_format

    @property
    def multilingual(self) -> bool:
        """Whether results say in which language they are."""
        return self.language == "multi" or self.detect_language

    @property
    def labels(self) -> dict[str, str]:
        """What results carry because the client asked for it."""
        return {key: value for key, _, value in (pair.partition(":") for pair in self.extra)}

    def options(self, own_name: Callable[[str | None], str | None]) -> Options:
        """Returns what this asks of a call; ``own_name`` returns our name of a model."""
        endpointing: int | None = None
        if not isinstance(self.endpointing, bool):
            endpointing = _within(self.endpointing, _ENDPOINTING_MS)
        silence = self.utterance_end_ms
        session = SessionOptions(
            language=None if self.multilingual else self.language,
            interim_results=self.interim_results,
            endpointing_ms=endpointing,
            model=own_name(self.model),
            speech_events=self.vad_events or silence is not None,
            silence_ms=None if silence is None else _within(silence, _SILENCE_MS),
        )
        rate = self.sample_rate or (_RAW[self.raw] if self.raw else None) or _RATE
        return Options(AudioFormat(self.raw, rate, self.channels), session)


def _within(value: int, bounds: tuple[int, int]) -> int:
    least, most = bounds
    return min(max(value, least), most)
