"""The native dialect's codec: its frames to asks, and what is told to its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from scripta_common.errors import Draining, ScriptaError
from scripta_gateway.audio.decoder import AudioFormat
from scripta_gateway.dialects import asks, ignored, told
from scripta_gateway.dialects.asks import Ask, Options, Return
from scripta_gateway.dialects.base import Policy
from scripta_gateway.dialects.keyterms import unheeded
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.dialects.native import frames
from scripta_gateway.dialects.native.texts import Texts
from scripta_gateway.transports.base import Close, Frame, Greeting, Refusal, Request

_COMMANDS: Final[Mapping[frames.Command, Ask]] = {
    frames.Command.FINALIZE: asks.Finalize(),
    frames.Command.KEEPALIVE: asks.KeepAlive(),
    frames.Command.END: asks.End(),
}


class NativeCodec:
    """One client's side.

    Args:
        query: What it asked for.
    """

    def __init__(self, query: frames.Query) -> None:
        self._query = query
        self._client_id = 0
        language = None if query.language == "auto" else query.language
        self._texts = Texts(query.rules(), language, returns=query.resume is not None)
        self.options = Options(
            AudioFormat(
                encoding=query.encoding, sample_rate=query.sample_rate, channels=query.channels
            ),
            query.options(),
        )
        self.resumable = query.events
        self.returns = None if query.resume is None else Return(query.resume, query.from_)

    def greet(self, opened: told.Opened) -> Greeting:
        """Returns headers that name the session, the client, and what is ignored."""
        self._client_id = opened.client_id
        names = {"scripta-session": opened.session, "scripta-client-id": str(opened.client_id)}
        return Greeting({**names, **ignored.headers(self._unheeded(opened))})

    def read(self, frame: Frame) -> Sequence[Ask]:
        """Returns audio, or the command that a text frame is."""
        if isinstance(frame, bytes):
            return (asks.Audio(frame) if frame else asks.Refuse("Audio data is empty"),)
        try:
            return (_COMMANDS[frames.parse_command(frame)],)
        except frames.BadFrame as error:
            return (asks.Refuse(str(error)),)

    def oversized(self, *, is_text: bool, limit: int) -> Sequence[Ask]:
        """Returns the refusal of a message that was too large."""
        kind = "Message" if is_text else "Audio data"
        return (asks.Refuse(f"{kind} too large (max {limit} bytes)"),)

    def finish(self) -> Sequence[Ask]:
        """Returns the end of the stream."""
        return (asks.End(),)

    def write(self, news: told.Told) -> Sequence[Frame]:
        """Returns the frame of an answer, a result or an event, if the client wants that."""
        match news:
            case told.Accepted(size):
                return (frames.received(size),)
            case told.Refused(message):
                return (frames.refused(message),)
            case told.Decided(_, result):
                return (frames.transcript(self._client_id, self._texts.final(result)),)
            case told.Guess(_, result) if self._query.interim_results:
                return (frames.interim(self._client_id, self._texts.interim(result)),)
            case told.Failed(error) if not isinstance(error, Draining):
                return (frames.failed(error),)
        return self._event(news) if self._query.events else ()

    def close(self, error: ScriptaError | None) -> Close:
        """Returns the close code of the error."""
        return Close(1000 if error is None else error.close_code)

    def _unheeded(self, opened: told.Opened) -> Sequence[str]:
        return (*self._query.ignored, *unheeded(opened, self._query, "keyterms"))

    def _event(self, news: told.Told) -> Sequence[Frame]:
        match news:
            case told.Opened():
                return (frames.opened(news, self._unheeded(news)),)
            case told.Warned(message):
                return (frames.warning(message),)
            case told.Ended(seconds):
                return (frames.ended(seconds),)
            case told.Failed(_, received):
                return (frames.going_away(received),)
        return ()


class NativeDialect:
    """The native dialect."""

    name = DialectName.NATIVE
    policy = Policy()

    def begin(self, request: Request) -> NativeCodec:
        """Returns the codec of a client; raises ``BadRequest`` that names a bad parameter."""
        return NativeCodec(frames.Query.parse(request.query))

    def refuse(self, request: Request, error: ScriptaError) -> Refusal:
        """Returns the error in the form of an error frame."""
        return Refusal(error.http_status, frames.not_opened(error))
