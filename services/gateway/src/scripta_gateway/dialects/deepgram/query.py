"""Query parameters of ``/v1/listen``, live and of recordings. Pure.

All that the vendor knows are taken, and any other. What has no effect here is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from scripta_common.errors import BadRequest
from scripta_common.sessionlog import SessionOptions
from scripta_gateway.audio.decoder import AudioFormat
from scripta_gateway.dialects.asks import Callback, Options
from scripta_gateway.dialects.ignored import nameable
from scripta_gateway.dialects.keyterms import keyterms, unweighted
from scripta_gateway.dialects.listed import check_listed
from scripta_gateway.text import TextRules

_ABSENT: Final = frozenset({"", "none", "null", "undefined"})
"""What packages send for a value that their user has not given."""
_LISTS: Final = frozenset({"replace", "redact", "tag", "extra", "keyterm", "keywords"})
_REDACTED: Final = {
    **{kind: kind for kind in ("numbers", "pci", "ssn")},
    "aggressive_numbers": "numbers",
    "true": "numbers",
}
_FULFILLED: Final = frozenset({"no_delay", "mip_opt_out", "ignored"})
"""What is so in any case: nothing is held back, and nothing is kept to learn from."""
_RAW: Final = {"linear16": None, "linear32": None, "mulaw": 8_000, "alaw": 8_000}
"""Encodings without a header, each with its rate where that goes without saying."""
_RATE: Final = 16_000
_SHORTEST_SILENCE_MS: Final = 1_000
_SHORTEST_ENDPOINT_MS: Final = 500
"""Clients ask for 10, 25 or 300 ms. So short a silence is within sentences, and a cut there costs
words: of one recording none were wrong at 500 ms and one in ten at 300."""
_ENGLISH: Final = ("numerals", "profanity_filter", "redact")
"""What knows English words only."""

_Encoding = Literal[
    "linear16", "linear32", "mulaw", "alaw",
    "flac", "opus", "ogg-opus", "amr-nb", "amr-wb", "speex",
]  # fmt: skip
_Language = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,5}(-[A-Za-z0-9]{2,8})*$", max_length=35)]
_Model = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
_Milliseconds = Annotated[int, Meta(ge=0, le=1_000_000)]


class Query(Struct, frozen=True):
    """The parameters that have an effect, and the names of those given that have none."""

    encoding: _Encoding | None = None
    sample_rate: Annotated[int, Meta(ge=8_000, le=96_000)] | None = None
    channels: Annotated[int, Meta(ge=1, le=8)] = 1
    multichannel: bool = False
    interim_results: bool = False
    endpointing: _Milliseconds | bool = True
    utterance_end_ms: _Milliseconds | None = None
    vad_events: bool = False
    punctuate: bool = False
    smart_format: bool = False
    numerals: bool = False
    filler_words: bool = False
    profanity_filter: bool = False
    replace: tuple[str, ...] = ()
    redact: tuple[str, ...] = ()
    language: _Language | None = None
    detect_language: bool = False
    model: _Model | None = None
    utterances: bool = False
    utt_split: Annotated[float, Meta(ge=0)] = 0.8
    paragraphs: bool = False
    tag: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    keyterm: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    callback: str | None = None
    callback_method: Literal["post", "put"] = "post"
    ignored: tuple[str, ...] = ()

    @classmethod
    def parse(cls, parameters: Iterable[tuple[str, str]]) -> Query:
        """Returns the parameters; raises ``BadRequest`` that names the first bad one."""
        given: dict[str, Any] = {}
        ignored: list[str] = []
        for name, value in parameters:
            said = value.strip().lower()
            if said in _ABSENT or name in _FULFILLED:
                continue
            effect = said == "false" or name in cls.__struct_fields__
            if name == "redact":  # in whatever way it is written: nothing may stay by a slip
                kinds = tuple(kind.strip() for kind in said.split(","))
                given[name] = (*given.get(name, ()), *kinds)
                effect = {*_REDACTED, "false"}.issuperset(kinds)
            elif name in _LISTS:
                given[name] = (*given.get(name, ()), value)
            elif name in cls.__struct_fields__:
                given[name] = said if name == "callback_method" else value
            if not effect:
                ignored.append(name)
        given["ignored"] = nameable(ignored)
        try:
            query = msgspec.convert(given, cls, strict=False)
        except msgspec.ValidationError as error:
            what, _, where = str(error).partition(" - at `$.")
            raise BadRequest(f"Bad value for {where.rstrip('`')}: {what}") from None
        if not f"{query.language or 'en'}-".lower().startswith(("en-", "multi-")):
            ignored += [name for name in _ENGLISH if getattr(query, name)]
            query = msgspec.structs.replace(query, ignored=nameable(ignored))
        for name in sorted(_LISTS):
            check_listed(name, getattr(query, name))
        if query.raw and not query.sample_rate and not _RAW[query.raw]:
            raise BadRequest(f"encoding={query.raw} needs sample_rate")
        return query

    @property
    def raw(self) -> str | None:
        """Encoding of audio that has no header."""
        return self.encoding if self.encoding in _RAW else None

    @property
    def punctuated(self) -> bool:
        """Whether text has capitals and punctuation."""
        return self.punctuate or self.smart_format

    @property
    def multilingual(self) -> bool:
        """Whether results say in which language they are."""
        return self.language == "multi" or self.detect_language

    def rules(self) -> TextRules:
        """Returns what is done to the text of each result."""
        replaced = (pair.partition(":") for pair in self.replace)
        return TextRules(
            punctuated=self.punctuated,
            numerals=self.numerals or self.smart_format,
            amounts=self.smart_format,
            masks_profanity=self.profanity_filter,
            fillers=self.filler_words,
            replaced=tuple((phrase, instead) for phrase, _, instead in replaced),
            redacted=frozenset(_REDACTED[kind] for kind in self.redact if kind in _REDACTED),
        )

    def options(
        self, own_name: Callable[[str | None], str | None], receipt: str | None = None
    ) -> Options:
        """Returns what this asks of a call; a request with a callback is answered ``receipt``."""
        silence, endpoint = self.utterance_end_ms, int(self.endpointing)
        if endpoint:
            endpoint = max(endpoint, _SHORTEST_ENDPOINT_MS)
        session = SessionOptions(
            language=None if self.multilingual else self.language,
            interim_results=self.interim_results,
            endpointing_ms=None if self.endpointing is True else endpoint,
            model=own_name(self.model),
            speech_events=self.vad_events or silence is not None,
            silence_ms=None if silence is None else max(silence, _SHORTEST_SILENCE_MS),
            keyterms=keyterms("keyterm", (*self.keyterm, *map(unweighted, self.keywords))),
        )
        rate = self.sample_rate or (_RAW[self.raw] if self.raw else None) or _RATE
        format = AudioFormat(
            self.raw, rate, self.channels, self.multichannel, files_only=self.raw is None
        )
        if self.callback is None:
            return Options(format, session)
        method = self.callback_method.upper()
        return Options(format, session, Callback(self.callback.strip(), method, receipt))
