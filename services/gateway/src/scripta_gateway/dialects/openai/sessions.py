"""The session that a client asks for: its updates, what they mean, and how it is shown. Pure.

An update changes the fields that it has. Today's shape and the beta's are read everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from scripta_common.sessionlog import SessionOptions
from scripta_gateway.audio.decoder import AudioFormat
from scripta_gateway.dialects.asks import Options
from scripta_gateway.dialects.keyterms import of_prompt
from scripta_gateway.dialects.openai.models import finds_turns

_Model = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
_Language = Annotated[str, Meta(pattern=r"^(auto|[A-Za-z]{2,3}(-\w{2,8})*)?$", max_length=35)]
_Milliseconds = Annotated[int, Meta(ge=0)]

_PCM: Final = "audio/pcm"
_ENCODINGS: Final = {_PCM: "linear16", "audio/pcmu": "mulaw", "audio/pcma": "alaw"}
_BETA_FORMATS: Final = {"pcm16": _PCM, "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
_BETA_FIELDS: Final = {
    **{f"input_audio_{name}": name for name in ("format", "noise_reduction", "transcription")},
    **{name: name for name in ("turn_detection", "include")},
}
"""Today's name of each of the beta's fields; the last stands beside the others today, too."""
_G711_RATE: Final = 8_000
_SILENCES_MS: Final = (100, 5_000)
"""Shortest and longest silence that ends a turn here."""
_BY_EAGERNESS_MS: Final = {"low": 1_200, "medium": 700, "auto": 700, "high": 300}


class _Format(Struct, frozen=True):
    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"] = "audio/pcm"
    rate: Annotated[int, Meta(ge=8_000, le=96_000)] = 24_000


class _ServerVad(Struct, frozen=True, tag_field="type", tag="server_vad"):
    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5
    prefix_padding_ms: _Milliseconds = 300
    silence_duration_ms: _Milliseconds = 500

    def __post_init__(self) -> None:
        silence = min(max(self.silence_duration_ms, _SILENCES_MS[0]), _SILENCES_MS[1])
        msgspec.structs.force_setattr(self, "silence_duration_ms", silence)


class _SemanticVad(Struct, frozen=True, tag_field="type", tag="semantic_vad"):
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"


class _Transcription(Struct, frozen=True, omit_defaults=True):
    model: _Model | None = None
    language: _Language | None = None
    languages: tuple[_Language, ...] = ()
    prompt: str | None = None
    keywords: tuple[str, ...] = ()
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None


class _NoiseReduction(Struct, frozen=True, omit_defaults=True):
    type: Literal["near_field", "far_field"] | None = None
    strength: float | None = None


class Session(Struct, frozen=True):
    """A session as far as its client has said what it wants."""

    format: _Format = _Format()
    noise_reduction: _NoiseReduction | None = None
    transcription: _Transcription = _Transcription()
    turn_detection: _ServerVad | _SemanticVad | UnsetType | None = UNSET
    include: tuple[Literal["item.input_audio_transcription.logprobs"], ...] | None = None

    @classmethod
    def restored(cls, preset: str) -> Session:
        """Returns the session that a client's secret brings; the usual one if it brings none."""
        try:
            return msgspec.json.decode(preset, type=cls) if preset else cls()
        except msgspec.DecodeError:  # it is of another dialect
            return cls()

    @property
    def preset(self) -> str:
        """What ``restored`` makes it of again."""
        return msgspec.json.encode(self).decode()

    @property
    def detection(self) -> _ServerVad | _SemanticVad | None:
        """What finds turns; ``None``: the client commits them."""
        if self.turn_detection is UNSET:
            return _ServerVad() if finds_turns(self.transcription.model) else None
        return self.turn_detection

    def updated(self, update: bytes | msgspec.Raw) -> Session:
        """Returns the session with an update; raises ``msgspec.ValidationError``."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        for name, new in _fields_of(update).items():
            if isinstance(new, dict):  # what it lacks stays, unless it is of another type
                old = fields.get(name) or {}
                kept = old if new.get("type") in (None, old.get("type")) else {}
                new = {key: value for key, value in {**kept, **new}.items() if value is not None}
            fields[name] = new
            if new is None and name in ("format", "transcription"):
                del fields[name]  # back to what it is by default
        return msgspec.convert(fields, Session)

    def options(self, own_name: Callable[[str | None], str | None]) -> Options:
        """Returns what this asks of the call; ``own_name`` returns our name of a model."""
        vad, said = self.detection, self.transcription
        silence = 0  # none ends a segment
        if isinstance(vad, _ServerVad):
            silence = vad.silence_duration_ms
        elif vad is not None:
            silence = _BY_EAGERNESS_MS[vad.eagerness]
        named = [tag for tag in said.languages or (said.language,) if tag and tag != "auto"]
        session = SessionOptions(
            language=named[0] if len(named) == 1 else None,
            interim_results=True,
            endpointing_ms=silence,
            model=own_name(said.model),
            word_times=bool(self.include),
            speech_events=vad is not None,
            keyterms=of_prompt(said.prompt or "", said.keywords),
        )
        rate = self.format.rate if self.format.type == _PCM else _G711_RATE
        return Options(AudioFormat(_ENCODINGS[self.format.type], rate), session)

    def shown(self, *, as_beta: bool) -> dict[str, Any]:
        """Returns it in the shape of today or of the beta."""
        fields = msgspec.to_builtins(self) | {"turn_detection": msgspec.to_builtins(self.detection)}
        if as_beta:
            names = {of_today: name for name, of_today in _BETA_FORMATS.items()}
            fields["format"] = names[self.format.type]
            return {name: fields[of_today] for name, of_today in _BETA_FIELDS.items()}
        if self.format.type != _PCM:
            del fields["format"]["rate"]
        include = fields.pop("include")
        return {"type": "transcription", "audio": {"input": fields}, "include": include}


def _fields_of(update: bytes | msgspec.Raw) -> dict[str, Any]:
    """Returns the fields that an update has, by their names in a ``Session``."""
    said = msgspec.json.decode(update, type=dict[str, Any])
    if said.get("type", "transcription") != "transcription":
        raise msgspec.ValidationError("Only 'transcription' is served - at `$.type`")
    fields = {name: said[beta] for beta, name in _BETA_FIELDS.items() if beta in said}
    if isinstance(beta_format := fields.get("format"), str):
        fields["format"] = {"type": _BETA_FORMATS.get(beta_format, beta_format)}
    audio = msgspec.convert(said.get("audio") or {}, dict[str, dict[str, Any]])
    return fields | audio.get("input", {})
