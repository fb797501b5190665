"""Live transcription's codec: messages to asks, and what is told to messages. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec

from scripta_common.errors import BadAudio, ScriptaError
from scripta_common.wire import Final as FinalResult
from scripta_common.wire import Interim, Reason, SpeechKind
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.asks import Ask
from scripta_gateway.dialects.base import Policy
from scripta_gateway.dialects.deepgram import errors, results
from scripta_gateway.dialects.deepgram.query import Query
from scripta_gateway.dialects.model_names import ModelNames
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.transports.base import Close, Frame, Greeting, Refusal, Request

_IDLE_SECONDS: Final = 10.0
_KNOWN: Final = "KeepAlive, Finalize, CloseStream, Configure"
_SCHEMES: Final = ("token", "bearer")


class _Message(msgspec.Struct):
    """A client's text message."""

    type: str
    channel: Annotated[int, msgspec.Meta(ge=0)] | None = None
    keyterms: list[str] | None = None
    features: dict[str, Any] | None = None


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
        self._request = request
        self._id = results.request_id(request.id)
        self._query = query
        self.options = query.options(own_name)
        self._model = query.model or ""
        self._digest = hashlib.sha256()
        self._channels = 1
        # Of each channel: up to where results have been told for good, and its last word's end.
        self._told = [0.0]
        self._spoken = [0.0]

    def greet(self, opened: told.Opened) -> Greeting:
        """Returns ids, what is ignored, and the subprotocol that browsers have to hear."""
        self._model = opened.model or self._model or "default"
        headers = {
            "dg-request-id": self._id,
            "dg-model-name": self._model,
            "dg-model-uuid": results.model_uuid(self._model),
            "scripta-session": opened.session,
        }
        if self._query.ignored:
            headers["scripta-ignored"] = ", ".join(self._query.ignored)
        offered = self._request.subprotocols[:1]
        chosen = offered[0] if offered and offered[0].lower() in _SCHEMES else None
        return Greeting(headers, chosen)

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
            case "Finalize" if (message.channel or 0) < self._channels:
                return (asks.Finalize(message.channel),)
            case "Finalize":
                return (asks.Refuse(f"There are {self._channels} channels, from 0 on", frame),)
            case "CloseStream":
                return (asks.End(),)
            case "Configure":
                return (asks.Reply((self._configured(message),)),)
        return (asks.Refuse(f"Unknown type {message.type[:40]!r}; there are {_KNOWN}", frame),)

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
                self._channels = count
                self._told, self._spoken = [0.0] * count, [0.0] * count
            case told.Guess(channel, result) if self._query.interim_results:
                return (self._results(channel, result),)
            case told.Decided(channel, result):
                return (self._results(channel, result),)
            case told.Heard():
                return self._heard(news)
            case told.Ended(length):
                return self._ended(length)
            case told.Refused(message, str() as text):
                return (_json(errors.unreadable(message, text)),)
        return ()

    def close(self, error: ScriptaError | None) -> Close:
        """Returns how the call ends."""
        return errors.close_of(error)

    def _configured(self, message: _Message) -> str:
        if message.keyterms:
            answer = {
                "type": "ConfigureFailure",
                "request_id": self._id,
                "code": "CONFIGURE_KEYTERMS_NOT_SUPPORTED",
                "description": "No model here can be given key terms.",
            }
        else:
            answer = {"type": "ConfigureSuccess", "request_id": self._id}
        return _json(answer)

    def _heard(self, news: told.Heard) -> Sequence[Frame]:
        channel = [news.channel, self._channels]
        at = results.seconds(news.speech.at)
        match news.speech.kind:
            case SpeechKind.STARTED if self._query.vad_events:
                return (_json({"type": "SpeechStarted", "channel": channel, "timestamp": at}),)
            case SpeechKind.SILENT if self._query.utterance_end_ms:
                end = self._spoken[news.channel] or at
                return (_json({"type": "UtteranceEnd", "channel": channel, "last_word_end": end}),)
        return ()

    def _results(self, channel: int, result: FinalResult | Interim) -> str:
        is_final = isinstance(result, FinalResult)
        reason = result.reason if isinstance(result, FinalResult) else None
        said = results.alternative(self._query, (result,))
        frame = self._span(channel, result.end, said, reason)
        if is_final:
            self._told[channel] = max(self._told[channel], results.seconds(result.end))
            if said["words"]:
                self._spoken[channel] = said["words"][-1]["end"]
        return frame

    def _span(self, channel: int, end: float, said: dict[str, Any], reason: Reason | None) -> str:
        """Returns what was said since the last final of a channel; no reason: it is no final."""
        start = self._told[channel]
        ends_utterance = (
            reason not in (None, Reason.LENGTH) and self._query.endpointing is not False
        )
        return _json(
            {
                "type": "Results",
                "channel_index": [channel, self._channels],
                "duration": results.seconds(max(0.0, end - start)),
                "start": start,
                "is_final": reason is not None,
                "speech_final": ends_utterance,
                "from_finalize": reason is Reason.FINALIZE,
                "channel": {"alternatives": [said]},
                "metadata": {
                    "request_id": self._id,
                    "model_uuid": results.model_uuid(self._model),
                    "model_info": results.model_info(self._model),
                    **({"extra": self._query.labels} if self._query.extra else {}),
                },
            }
        )

    def _ended(self, length: float) -> Sequence[Frame]:
        """Returns the results of what nobody spoke in at the end, and what the call was."""
        nothing = results.alternative(self._query, ())
        rest = [
            self._span(channel, length, nothing, Reason.LENGTH)
            for channel, start in enumerate(self._told)
            if start < results.seconds(length)
        ]
        model = results.model_uuid(self._model)
        created = datetime.fromtimestamp(self._request.at, UTC)
        metadata = {
            "type": "Metadata",
            "transaction_key": "deprecated",
            "request_id": self._id,
            "sha256": self._digest.hexdigest(),
            "created": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "duration": results.seconds(length),
            "channels": self._channels,
            "models": [model],
            "model_info": {model: results.model_info(self._model)},
            **({"extra": self._query.labels} if self._query.extra else {}),
            **({"tags": self._query.tag} if self._query.tag else {}),
        }
        return (*rest, _json(metadata))


class LiveDialect:
    """Live transcription.

    Args:
        names: Names of models.
    """

    name = DialectName.DEEPGRAM
    policy = Policy(
        acks=False, close=_IDLE_SECONDS, first=_IDLE_SECONDS, goes_on_after_bad_audio=False
    )

    def __init__(self, names: ModelNames) -> None:
        self._names = names

    def begin(self, request: Request) -> LiveCodec:
        """Returns the codec of a client; raises ``BadRequest`` that names a bad parameter."""
        return LiveCodec(request, Query.parse(request.query), self._names.own)

    def refuse(self, request: Request, error: ScriptaError) -> Refusal:
        """Returns the error in the vendor's form."""
        return errors.refusal(error, results.request_id(request.id))


def _json(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()
