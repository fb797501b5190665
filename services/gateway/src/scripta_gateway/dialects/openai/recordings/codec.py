"""The codec of a recording: a form to asks, and finals to one answer or to events. Pure.

Clients send a form's fields before its file or behind it. So a file's first bytes are kept until
the form is complete, or until they are too many; then what is known holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scripta_common.errors import BadRequest, ScriptaError
from scripta_common.wire import Final
from scripta_gateway.bounds import FORM_HELD_BYTES
from scripta_gateway.dialects import asks, ignored, told
from scripta_gateway.dialects.asks import Ask, Options
from scripta_gateway.dialects.base import Policy
from scripta_gateway.dialects.forms import Field, Form, FormError, Piece
from scripta_gateway.dialects.model_names import ModelNames
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.dialects.openai import errors
from scripta_gateway.dialects.openai.errors import BadField
from scripta_gateway.dialects.openai.recordings import answers
from scripta_gateway.dialects.openai.recordings.wanted import Wanted
from scripta_gateway.transports.base import Close, Frame, Greeting, Refusal, Request

_FILE = "file"


class RecordingCodec:
    """One request.

    Args:
        request: How it began.
        own_name: Returns our name of a model.

    Raises:
        BadRequest: It brings no form.
    """

    resumable = False
    returns = None

    def __init__(self, request: Request, own_name: Callable[[str | None], str | None]) -> None:
        try:
            self._form = Form(request.headers.get("content-type", ""))
        except FormError as error:
            raise BadRequest(str(error)) from None
        self._own_name = own_name
        self._fields: list[tuple[str, str]] = []
        self._wanted = Wanted()
        self.options = self._wanted.options(own_name)
        # Bytes of the file that wait for the fields behind it.
        self._held: list[bytes] = []
        # What the session was begun with.
        self._begun: Options | None = None
        # Whether there are any bytes of it, and whether the model can be given keyterms.
        self._has_file, self._heeds_keyterms = False, False
        self._finals: list[Final] = []
        # How many finals have been told in events, and whether any had text.
        self._told, self._any = 0, False

    def greet(self, opened: told.Opened) -> Greeting:
        """Returns the answer's type, and names what has no effect."""
        unheeded = ("prompt",) if self._wanted.keyterms and not self._heeds_keyterms else ()
        names = ignored.headers((*self._wanted.ignored, *unheeded))
        return Greeting(names, media_type=self._wanted.media_type)

    def read(self, frame: Frame) -> Sequence[Ask]:
        """Returns what a piece of the form asks for."""
        wanted: list[Ask] = []
        try:
            for news in self._form.feed(frame.encode() if isinstance(frame, str) else frame):
                match news:
                    case Field(name, value):
                        wanted += self._take_field(name, value)
                    case Piece(_, data):
                        wanted += self._take_piece(data)
        except FormError as error:
            wanted.append(asks.Refuse(str(error)))
        except BadField as error:
            wanted.append(asks.Refuse(str(error), error))
        return wanted

    def oversized(self, *, is_text: bool, limit: int) -> Sequence[Ask]:
        """Returns nothing: a body comes in pieces."""
        return ()

    def finish(self) -> Sequence[Ask]:
        """Returns the end of the recording."""
        if not self._form.complete:
            return (asks.Refuse("The body ends before the form does"),)
        if not self._has_file:
            error = BadField("Send a recording as a file in the field 'file': there is none", _FILE)
            return (asks.Refuse(str(error), error),)
        begun = () if self._begun is not None else self._begin()
        return (*begun, asks.Note(None), asks.End())

    def write(self, news: told.Told) -> Sequence[Frame]:
        """Returns events as text comes, if they are wanted; otherwise one answer at the end."""
        match news:
            case told.Configured():
                self._heeds_keyterms = news.keyterms
            case told.Decided(_, final):
                self._finals.append(final)
                return self._deltas()
            case told.Noted():
                return self._deltas()
            case told.Ended(seconds) if self._wanted.stream:
                return (answers.done(self._wanted, self._finals),)
            case told.Ended(seconds):
                return (answers.answer(self._wanted, self._finals, seconds),)
            case told.Failed(error) if self._any:
                return (answers.failed(errors.described(error)),)
        return ()

    def close(self, error: ScriptaError | None) -> Close:
        """Returns the answer that an error is, for where there was none yet."""
        if error is None:
            return Close(1000)
        return Close(error.close_code, refusal=errors.refusal(error))

    def _take_field(self, name: str, value: str) -> Sequence[Ask]:
        self._fields.append((name, value))
        self._wanted = Wanted.of(self._fields)
        if self._begun not in (None, self._wanted.options(self._own_name)):
            raise BadField(f"Send the field {name!r} before the file: the file is long", name)
        return ()

    def _take_piece(self, data: bytes) -> Sequence[Ask]:
        self._has_file |= bool(data)
        if self._begun is not None:
            return (asks.Audio(data),) if data else ()
        self._held.append(data)
        return () if sum(map(len, self._held)) < FORM_HELD_BYTES else self._begin()

    def _begin(self) -> Sequence[Ask]:
        self._begun = self._wanted.options(self._own_name)
        held, self._held = self._held, []
        return asks.Configure(self._begun), *(asks.Audio(data) for data in held if data)

    def _deltas(self) -> Sequence[Frame]:
        if not self._wanted.stream:
            return ()
        new, self._told = self._finals[self._told :], len(self._finals)
        frames: list[Frame] = []
        for final in new:
            if final.text:
                frames.append(answers.delta(f" {final.text}" if self._any else final.text))
                self._any = True
        return frames


class RecordingsDialect:
    """Recordings that are posted.

    Args:
        names: Names of models.
    """

    name = DialectName.OPENAI
    policy = Policy(acks=False, flushes=False, gathers=True, refusals_end=True)

    def __init__(self, names: ModelNames) -> None:
        self._names = names

    def begin(self, request: Request) -> RecordingCodec:
        """Returns the codec of a request; raises ``BadRequest`` if it brings no form."""
        return RecordingCodec(request, self._names.own)

    def refuse(self, request: Request, error: ScriptaError) -> Refusal:
        """Returns the error in the vendor's form."""
        return errors.refusal(error)
