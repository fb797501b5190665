"""Wyoming's codec: one utterance a connection, as Home Assistant sends it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from scripta_common.errors import ScriptaError
from scripta_common.models import Model
from scripta_common.sessionlog import SessionOptions
from scripta_gateway.audio.decoder import AudioFormat
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.appending import Appending
from scripta_gateway.dialects.asks import Ask, Options
from scripta_gateway.dialects.base import Policy
from scripta_gateway.dialects.model_names import ModelNames
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.dialects.wyoming.events import VERSION, BadEvent, Event, Events, encode
from scripta_gateway.transports.base import Close, Frame, Greeting, Refusal, Request

_ATTRIBUTION = {"name": "Scripta", "url": ""}
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}")


class WyomingCodec:
    """One client's side.

    Args:
        models: What the names of models mean.
        served: Returns the models that there are, once a session can be opened.
        payload_bytes: Largest payload of an event.
    """

    resumable = False
    returns = None

    def __init__(
        self, models: ModelNames, served: Callable[[], Sequence[Model]], payload_bytes: int
    ) -> None:
        self._models = models
        self._served = served
        self._events = Events(payload_bytes)
        self._broken: str | None = None
        self._form: Mapping[str, Any] = {}
        self._model: str | None = None
        self._language: str | None = None
        self._text: list[str] = []
        self._growing = Appending()
        self._begun = False
        self.options = self._wanted()

    def greet(self, opened: told.Opened) -> Greeting:
        """Returns nothing: there is no handshake."""
        return Greeting()

    def read(self, frame: Frame) -> Sequence[Ask]:
        """Returns what the events ask for that these bytes complete."""
        if self._broken is not None:
            return ()
        wanted: list[Ask] = []
        try:
            for event in self._events.feed(frame.encode() if isinstance(frame, str) else frame):
                wanted += self._read(event)
        except BadEvent as error:
            self._broken = str(error)
            wanted += [asks.Refuse(self._broken), asks.End()]
        return wanted

    def oversized(self, *, is_text: bool, limit: int) -> Sequence[Ask]:
        """Returns nothing: the pieces of a stream have no size of their own."""
        return ()

    def finish(self) -> Sequence[Ask]:
        """Returns the end of the utterance: the client sends no more."""
        return (asks.End(),)

    def write(self, news: told.Told) -> Sequence[Frame]:
        """Returns the events of a growing transcript, of the whole one, or of an error."""
        match news:
            case told.Guess(_, result):
                return self._grown(self._growing.grow(result.stable))
            case told.Decided(_, result):
                if result.text:
                    self._text.append(result.text)
                return self._grown(self._growing.settle(result.text))
            case told.Ended() if self._broken is None:
                return (*self._start(), *self._whole())
            case told.Refused(message):
                return (encode("error", {"text": message, "code": "bad_request"}),)
            case told.Failed(error):
                return (encode("error", {"text": str(error), "code": error.code}),)
        return ()

    def close(self, error: ScriptaError | None) -> Close:
        """Returns the end of the connection; the events before it say why."""
        return Close(1000 if error is None else error.close_code)

    def _read(self, event: Event) -> Sequence[Ask]:
        match event.type:
            case "describe":
                return (asks.Reply((encode("info", _info(self._served())),)),)
            case "ping":
                return (asks.Reply((encode("pong", {"text": event.data.get("text")}),)),)
            case "transcribe":
                return self._transcribe(event.data)
            case "audio-start" | "audio-chunk":
                return self._audio(event)
            case "audio-stop":
                return (asks.End(),)
        return ()  # others are for other services

    def _transcribe(self, data: Mapping[str, Any]) -> Sequence[Ask]:
        name, language = data.get("name"), data.get("language")
        self._model = self._models.own(name) if isinstance(name, str) else None
        self._language = None
        if isinstance(language, str) and _LANGUAGE.fullmatch(language):
            self._language = language.replace("_", "-")
        return (asks.Configure(self._wanted()),)

    def _audio(self, event: Event) -> Sequence[Ask]:
        form = {name: event.data.get(name) for name in ("rate", "width", "channels")}
        if form != self._form:
            rate, channels = form["rate"], form["channels"]
            if form["width"] != 2 or not _within(rate, 8000, 96_000) or not _within(channels, 1, 8):
                return (asks.Refuse("Audio has to be PCM of width 2, 8000 to 96000 Hz"),)
            self._form = form
            configure = asks.Configure(self._wanted())
            return (configure, asks.Audio(event.payload)) if event.payload else (configure,)
        return (asks.Audio(event.payload),) if event.payload else ()

    def _wanted(self) -> Options:
        form = self._form
        return Options(
            AudioFormat("linear16", form.get("rate", 16_000), form.get("channels", 1)),
            SessionOptions(
                interim_results=True,
                language=self._language,
                model=self._model,
                word_times=False,
            ),
        )

    def _grown(self, piece: str) -> Sequence[Frame]:
        return (*self._start(), encode("transcript-chunk", {"text": piece})) if piece else ()

    def _start(self) -> Sequence[Frame]:
        begun, self._begun = self._begun, True
        return () if begun else (encode("transcript-start", self._said()),)

    def _whole(self) -> Sequence[Frame]:
        text = " ".join(self._text)
        return encode("transcript", {"text": text, **self._said()}), encode("transcript-stop")

    def _said(self) -> dict[str, Any]:
        return {} if self._language is None else {"language": self._language}


class WyomingDialect:
    """The Wyoming dialect.

    Args:
        served: As of its codecs.
        set_by_operator: Own name of a model by the name that clients use.
        payload_bytes: Largest payload of an event.
    """

    name = DialectName.WYOMING
    policy = Policy(acks=False, flushes=False, last_words=True, utterance=True, gathers=True)

    def __init__(
        self,
        served: Callable[[], Sequence[Model]],
        set_by_operator: Mapping[str, str],
        payload_bytes: int,
    ) -> None:
        self._served = served
        self._models = ModelNames((), set_by_operator)
        self._payload_bytes = payload_bytes

    def begin(self, request: Request) -> WyomingCodec:
        """Returns the codec of a connection."""
        return WyomingCodec(self._models, self._served, self._payload_bytes)

    def refuse(self, request: Request, error: ScriptaError) -> Refusal:
        """Returns the error as an event."""
        body = encode("error", {"text": str(error), "code": error.code})
        return Refusal(error.http_status, body.decode())


def _within(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and least <= value <= most


def _info(served: Sequence[Model]) -> dict[str, Any]:
    artifact = {"attribution": _ATTRIBUTION, "installed": True, "version": VERSION}
    models = [
        {
            **artifact,
            "name": model.own_name,
            "description": model.own_name,
            "languages": list(model.languages),
        }
        for model in served
    ]
    program = {
        **artifact,
        "name": "scripta",
        "description": "Streaming speech-to-text",
        "models": models,
        "supports_transcript_streaming": True,
        "requires_external_vad": False,
    }
    others = dict.fromkeys(("tts", "handle", "intent", "wake", "mic", "snd"), ())
    return {"asr": [program], **others}
