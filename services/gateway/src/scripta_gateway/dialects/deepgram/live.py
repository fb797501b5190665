"""Live transcription's codec: messages to asks, and what is told to messages. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import msgspec

from scripta_common.errors import BadAudio, ScriptaError
from scripta_common.wire import Final as FinalResult
from scripta_common.wire import Interim, Reason, SpeechKind
from scripta_gateway.dialects import asks, ignored, told
from scripta_gateway.dialects.asks import Ask
from scripta_gateway.dialects.base import Policy
from scripta_gateway.dialects.deepgram import errors
from scripta_gateway.dialects.deepgram.query import Query
from scripta_gateway.dialects.deepgram.results import Results, seconds
from scripta_gateway.dialects.keyterms import unheeded
from scripta_gateway.dialects.model_names import ModelNames
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.transports.base import Close, Frame, Greeting, Refusal, Request

_IDLE_SECONDS: Final = 10.0
_SCHEMES: Final = ("token", "bearer")


class _Features(msgspec.Struct):
    numerals: bool | None = None


class _Message(msgspec.Struct):
    """A client's text message."""

    type: str
    features: _Features | None = None
    channel: Annotated[int, msgspec.Meta(ge=0)] | None = None
    keyterms: list[str] | None = None


class LiveCodec:
    """One client's side.

    Args:
        request: How its call began.
        query: What it asks for.
        own_name: Returns our name of a model.
    """

    resumable = False
    returns = None

    def __init__(
        self, request: Request, query: Query, own_name: Callable[[str | None], str | None]
    ) -> None:
        self._offered = request.subprotocols[:1]
        self._query = query
        self.options = query.options(own_name)
        self._results = Results(request, query)
        self._digest = hashlib.sha256()
        # Of each channel: up to where results have been told for good, and its last word's end.
        self._told, self._spoken = [0.0], [0.0]

    def greet(self, opened: told.Opened) -> Greeting:
        """Returns ids, what is ignored, and the subprotocol that browsers have to hear."""
        if opened.model:
            self._results.name(opened.model)
        headers = {
            "dg-request-id": self._results.id,
            "dg-model-name": self._results.model,
            "dg-model-uuid": self._results.model_uuid,
            "scripta-session": opened.session,
        }
        terms = unheeded(opened, self._query, "keyterm", "keywords")
        headers |= ignored.headers((*self._query.ignored, *terms))
        chosen = [offer for offer in self._offered if offer.lower() in _SCHEMES]
        return Greeting(headers, chosen[0] if chosen else None)

    def read(self, frame: Frame) -> Sequence[Ask]:
        """Returns audio, or what a text message asks for."""
        if isinstance(frame, bytes):
            self._digest.update(frame)
            return (asks.Audio(frame),) if frame else ()
        try:
            message = msgspec.json.decode(frame, type=_Message)
        except (msgspec.DecodeError, RecursionError) as error:
            return (asks.Refuse(f"Could not deserialize the message: {error}", frame),)
        match message.type:
            case "KeepAlive":
                return (asks.KeepAlive(),)
            case "Finalize" if (message.channel or 0) < len(self._told):
                return (asks.Finalize(message.channel),)
            case "CloseStream":
                return (asks.End(),)
            case "Configure":
                return (asks.Reply((self._configured(message),)),)
        return (asks.Refuse("No message has this type, or there is no such channel", frame),)

    def oversized(self, *, is_text: bool, limit: int) -> Sequence[Ask]:
        """Returns the refusal of a message that was too large; without its audio the call ends."""
        message = f"Message too large (max {limit} bytes); send smaller ones"
        return (asks.Refuse(message, "" if is_text else BadAudio(message)),)

    def finish(self) -> Sequence[Ask]:
        """Returns the end of the stream."""
        return (asks.End(),)

    def write(self, news: told.Told) -> Sequence[Frame]:
        """Returns messages of types that the vendor's packages know, and no others."""
        match news:
            case told.Voices(count):
                self._told, self._spoken = [0.0] * count, [0.0] * count
            case told.Guess(channel, result) if self._query.interim_results:
                return (self._heard_in(channel, result),)
            case told.Decided(channel, result):
                return (self._heard_in(channel, result),)
            case told.Heard():
                return self._signal(news)
            case told.Ended(length):
                return self._ended(length)
            case told.Refused(message, str() as text):
                kind = {"variant": "SchemaError", "description": message, "message": text}
                return (_message("Error", kind),)
        return ()

    def close(self, error: ScriptaError | None) -> Close:
        """Returns how the call ends."""
        return errors.close_of(error)

    def _configured(self, message: _Message) -> str:
        answer = {"request_id": self._results.id}
        if not message.keyterms:
            if message.features is not None and message.features.numerals is not None:
                self._results.write_numerals(message.features.numerals)
            return _message("ConfigureSuccess", answer)
        answer["code"] = "CONFIGURE_KEYTERMS_NOT_SUPPORTED"
        answer["description"] = "Key terms are taken at the beginning only: connect with keyterm=…"
        return _message("ConfigureFailure", answer)

    def _signal(self, news: told.Heard) -> Sequence[Frame]:
        where = {"channel": [news.channel, len(self._told)]}
        at = seconds(news.speech.at)
        match news.speech.kind:
            case SpeechKind.STARTED if self._query.vad_events:
                return (_message("SpeechStarted", {**where, "timestamp": at}),)
            case SpeechKind.SILENT if self._query.utterance_end_ms:
                last = self._spoken[news.channel] or at
                return (_message("UtteranceEnd", {**where, "last_word_end": last}),)
        return ()

    def _heard_in(self, channel: int, result: FinalResult | Interim) -> str:
        said = self._results.alternative((result,), channel)
        if isinstance(result, Interim):
            return self._result(channel, result.end, said)
        if said["words"]:
            self._spoken[channel] = said["words"][-1]["end"]
        return self._result(channel, result.end, said, result.reason)

    def _result(
        self, channel: int, end: float, said: dict[str, Any], reason: Reason | None = None
    ) -> str:
        """Returns what was said since the last final of a channel; no reason: it is no final."""
        start, end = self._told[channel], max(self._told[channel], seconds(end))
        if reason is not None:
            self._told[channel] = end
        ends = reason not in (None, Reason.LENGTH) and bool(self._query.endpointing)
        result = {
            "channel_index": [channel, len(self._told)],
            "duration": seconds(end - start),
            "start": start,
            "is_final": reason is not None,
            "speech_final": ends,
            "from_finalize": reason is Reason.FINALIZE,
            "channel": {"alternatives": [said]},
            "metadata": self._results.origin,
        }
        return _message("Results", result)

    def _ended(self, length: float) -> Sequence[Frame]:
        """Returns the results of what nobody spoke in at the end, and what the call was."""
        nothing = self._results.alternative(())
        rest = [
            self._result(channel, length, nothing, Reason.LENGTH)
            for channel, start in enumerate(self._told)
            if start < seconds(length)
        ]
        digest = self._digest.hexdigest()
        metadata = self._results.metadata(digest, length, len(self._told))
        return (*rest, _message("Metadata", metadata))


class LiveDialect:
    """Live transcription.

    Args:
        names: Names of models.
    """

    name = DialectName.DEEPGRAM
    policy = Policy(
        acks=False,
        close=_IDLE_SECONDS,
        first=_IDLE_SECONDS,
        goes_on_after_bad_audio=False,
        last_words=True,
    )

    def __init__(self, names: ModelNames) -> None:
        self._names = names

    def begin(self, request: Request) -> LiveCodec:
        """Returns the codec of a client; raises ``BadRequest`` that names a bad parameter."""
        return LiveCodec(request, Query.parse(request.query), self._names.own)

    def refuse(self, request: Request, error: ScriptaError) -> Refusal:
        """Returns the error in the vendor's form."""
        return errors.refusal(request, error)


def _message(kind: str, fields: dict[str, Any]) -> str:
    return msgspec.json.encode({"type": kind, **fields}).decode()
