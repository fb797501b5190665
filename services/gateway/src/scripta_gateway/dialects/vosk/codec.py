"""Vosk's codec: a client sends audio, waits for one reply, and sends on.

Each message of audio is answered from what is known at that moment: the finals that the client has
not heard yet, or else the interim. So a client is never kept waiting by a transcriber that is being
replaced; what was said in the meantime comes with a later reply.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from scripta_common.errors import ScriptaError
from scripta_common.sessionlog import SessionOptions
from scripta_common.wire import Final, Reason, Word
from scripta_gateway.audio.decoder import AudioFormat
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.asks import Ask, Options
from scripta_gateway.dialects.base import Policy
from scripta_gateway.dialects.model_names import ModelNames
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.text import TextRules
from scripta_gateway.transports.base import Close, Frame, Greeting, Refusal, Request

_PLAIN = TextRules(punctuated=False)
"""Vosk's models write lower case without punctuation."""

_SAMPLE_RATE = 8000
"""What Vosk's server takes audio for, unless it is told."""


class _Config(msgspec.Struct):
    sample_rate: float = _SAMPLE_RATE
    words: bool = True
    max_alternatives: int = 0
    model: str | None = None


class _Command(msgspec.Struct):
    config: _Config | None = None
    eof: Any = None
    reset: Any = None


class VoskCodec:
    """One client's side.

    Args:
        models: What the names of models mean.
    """

    resumable = False
    returns = None

    def __init__(self, models: ModelNames) -> None:
        self._models = models
        self._config = _Config()
        # Finals that the client has not heard yet, and what is being said.
        self._unheard: list[Final] = []
        self._partial = ""
        self.options = self._wanted()

    def greet(self, opened: told.Opened) -> Greeting:
        """Returns nothing: Vosk's server has no headers of its own."""
        return Greeting()

    def read(self, frame: Frame) -> Sequence[Ask]:
        """Returns audio, or what a JSON message asks for."""
        if isinstance(frame, bytes):
            return (asks.Audio(frame) if frame else asks.Reply((self._reply(),)),)
        try:
            command = msgspec.json.decode(frame, type=_Command)
        except (msgspec.DecodeError, RecursionError):
            return (asks.Refuse('Send audio, {"config": {…}}, {"reset": 1} or {"eof": 1}'),)
        if command.eof:
            return (asks.End(),)
        if command.reset:
            return (asks.Finalize(),)
        if command.config is None:
            return (asks.Refuse('Send audio, {"config": {…}}, {"reset": 1} or {"eof": 1}'),)
        if not 8000 <= command.config.sample_rate <= 96_000:
            return (asks.Refuse("sample_rate has to be from 8000 to 96000"),)
        self._config = command.config
        return (asks.Configure(self._wanted()),)

    def oversized(self, *, is_text: bool, limit: int) -> Sequence[Ask]:
        """Returns the refusal of a message that was too large."""
        return (asks.Refuse(f"A message has at most {limit} bytes"),)

    def finish(self) -> Sequence[Ask]:
        """Returns the end of the stream."""
        return (asks.End(),)

    def write(self, news: told.Told) -> Sequence[Frame]:
        """Returns a reply to audio, a refusal, or a result: of a command, or the last one."""
        match news:
            case told.Accepted():
                return (self._reply(),)
            case told.Refused(message):
                return (_json({"error": message}),)
            case told.Guess(_, result):
                self._partial = result.text
            case told.Decided(_, result):
                self._unheard.append(result)
                self._partial = ""
                if result.reason is Reason.FINALIZE:
                    return (self._result(),)
            case told.Ended():
                return (self._result(),)
            case told.Failed() if self._unheard:
                return (self._result(),)
        return ()

    def close(self, error: ScriptaError | None) -> Close:
        """Returns the close code of an error, with its words as the reason."""
        if error is None:
            return Close(1000)
        return Close(error.close_code, str(error))

    def _wanted(self) -> Options:
        config = self._config
        return Options(
            AudioFormat(sample_rate=int(config.sample_rate)),
            SessionOptions(
                interim_results=True,
                model=self._models.own(config.model),
                word_times=config.words,
            ),
        )

    def _reply(self) -> str:
        if self._unheard:
            return self._result()
        return _json({"partial": _PLAIN.apply(self._partial).text})

    def _result(self) -> str:
        heard, self._unheard = self._unheard, []
        result: dict[str, Any] = {}
        said = [_PLAIN.apply(final.text, final.words) for final in heard]
        words = [_word(word) for spoken in said for word in spoken.words]
        if words and self._config.words:
            result["result"] = words
        result["text"] = " ".join(spoken.text for spoken in said if spoken.text)
        if self._config.max_alternatives > 0:
            confidence = min((final.confidence or 0.0 for final in heard), default=0.0)
            return _json({"alternatives": [{**result, "confidence": round(confidence, 6)}]})
        return _json(result)


class VoskDialect:
    """The dialect of Vosk's server.

    Args:
        set_by_operator: Own name of a model by the name that clients use.
    """

    name = DialectName.VOSK
    policy = Policy(last_words=True)

    def __init__(self, set_by_operator: dict[str, str] | None = None) -> None:
        self._models = ModelNames((), set_by_operator or {})

    def begin(self, request: Request) -> VoskCodec:
        """Returns the codec of a client; Vosk's server has no parameters in its address."""
        return VoskCodec(self._models)

    def refuse(self, request: Request, error: ScriptaError) -> Refusal:
        """Returns the error as JSON."""
        return Refusal(error.http_status, _json({"error": str(error)}))


def _word(word: Word) -> dict[str, Any]:
    return {
        "conf": 1.0 if word.confidence is None else round(word.confidence, 6),
        "end": round(word.end, 3),
        "start": round(word.start, 3),
        "word": word.text,
    }


def _json(frame: dict[str, Any]) -> str:
    return msgspec.json.encode(frame).decode()
