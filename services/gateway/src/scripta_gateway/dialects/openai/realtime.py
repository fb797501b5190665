"""Realtime transcription's codec: a client's events to asks, and what is told to events. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from scripta_common.errors import BadRequest, OverLimit, ScriptaError, Unauthorized
from scripta_gateway.bounds import TEXT_BYTES
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.asks import Ask
from scripta_gateway.dialects.base import Policy
from scripta_gateway.dialects.model_names import ModelNames
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.dialects.openai import errors, results
from scripta_gateway.dialects.openai.models import talks
from scripta_gateway.dialects.openai.sessions import Session
from scripta_gateway.dialects.turns import Change, Step, Turn, Turns
from scripta_gateway.transports.base import Close, Frame, Greeting, Refusal, Request

_SESSION_SECONDS: Final = 24 * 3600
"""What ``expires_at`` says; nothing ends then."""
_SHORTEST_TURN: Final = 0.1
_BUFFER: Final = "input_audio_buffer"
_TRANSCRIPTION: Final = "conversation.item.input_audio_transcription"
_OwnName = Callable[[str | None], str | None]


class _Event(msgspec.Struct):
    """A client's event; what is in it is read when it is known what it is."""

    type: str = ""
    event_id: Annotated[str, msgspec.Meta(max_length=512)] | None = None
    session: msgspec.Raw = msgspec.Raw(b"{}")
    audio: msgspec.Raw = msgspec.Raw(b"null")

    def refuse(self, message: str, code: str, param: str | None = None) -> Sequence[Ask]:
        """Returns the refusal of this event."""
        error = {**errors.fault(message, code, param), "event_id": self.event_id}
        return (asks.Refuse(message, error),)


class RealtimeCodec:
    """One client's side.

    Args:
        request: How its call began.
        own_name: Returns our name of a model.
    """

    resumable = False
    returns = None

    def __init__(self, request: Request, own_name: _OwnName) -> None:
        self._request = request
        self._own_name = own_name
        self._beta = request.headers.get("openai-beta") == "realtime=v1"
        self._session = Session.restored(request.preset)
        if model := dict(request.query).get("model"):
            update = {"audio": {"input": {"transcription": {"model": model}}}}
            self._session = self._session.updated(msgspec.json.encode(update))
        self.options = self._session.options(own_name)
        self._turns = Turns()
        self._events = 0
        # Seconds of audio that the client has sent.
        self._sent = 0.0
        self._readers: Mapping[str, Callable[[_Event], Sequence[Ask]]] = {
            f"{_BUFFER}.append": self._append,
            f"{_BUFFER}.commit": self._commit,
            f"{_BUFFER}.clear": self._clear,
            "session.update": self._update,
            "transcription_session.update": self._update,
        }

    def greet(self, opened: told.Opened) -> Greeting:
        """Returns the subprotocol that browsers have to hear."""
        offered = "realtime" in self._request.subprotocols
        return Greeting(subprotocol="realtime" if offered else None)

    def read(self, frame: Frame) -> Sequence[Ask]:
        """Returns what an event asks for."""
        event = _Event()
        if isinstance(frame, bytes):
            return event.refuse(f"Send audio as base64 in {_BUFFER}.append events", "invalid_event")
        try:
            event = msgspec.json.decode(frame, type=_Event)
        except (msgspec.DecodeError, RecursionError) as error:
            return event.refuse(f"This is not an event: {error}", "invalid_event")
        if (reader := self._readers.get(event.type)) is None:
            message = f"Unknown event {event.type[:64]!r}; there are {', '.join(self._readers)}"
            return event.refuse(message, "invalid_value", "type")
        if len(frame) > TEXT_BYTES and reader != self._append:
            message = f"{event.type} may have at most {TEXT_BYTES} bytes"
            return event.refuse(message, "message_too_large")
        return reader(event)

    def oversized(self, *, is_text: bool, limit: int) -> Sequence[Ask]:
        """Returns the refusal of a message that was too large."""
        message = f"Message too large (max {limit} bytes); send audio in smaller pieces"
        return _Event().refuse(message, "message_too_large")

    def finish(self) -> Sequence[Ask]:
        """Returns nothing: a WebSocket has no such end."""
        return ()

    def _append(self, event: _Event) -> Sequence[Ask]:
        try:
            audio = msgspec.json.decode(event.audio, type=bytes)
        except (msgspec.DecodeError, RecursionError):
            message = "Invalid 'audio': it has to be base64 of samples"
            return event.refuse(message, "invalid_value", "audio")
        self._sent += len(audio) / self.options.format.bytes_a_second
        return (asks.Audio(audio),) if audio else ()

    def _commit(self, event: _Event) -> Sequence[Ask]:
        buffered = max(0.0, self._turns.buffered(self._sent))
        if buffered >= _SHORTEST_TURN:
            return asks.Finalize(), asks.Note(self._turns.end(self._sent))
        message = (
            "Error committing input audio buffer: buffer too small. Expected at least 100ms of "
            f"audio, but buffer only has {1000 * buffered:.2f}ms of audio."
        )
        return event.refuse(message, f"{_BUFFER}_commit_empty")

    def _clear(self, _: _Event) -> Sequence[Ask]:
        self._turns.clear(self._sent)
        return asks.Clear(), asks.Note(None)

    def _update(self, event: _Event) -> Sequence[Ask]:
        self._beta = self._beta or event.type != "session.update"
        try:
            session = self._session.updated(event.session)
        except (msgspec.DecodeError, RecursionError) as error:
            bad = errors.bad_field(error, "session")
            return event.refuse(str(bad), "invalid_value", bad.param)
        before = self._session
        self._hold(session)
        return (asks.Configure(self.options, (session, before, event.event_id)),)

    def _hold(self, session: Session) -> None:
        self._session, self.options = session, session.options(self._own_name)

    def write(self, news: told.Told) -> Sequence[Frame]:
        """Returns the events by which the client hears it."""
        match news:
            case told.Opened():
                return (self._shown("created", self._session),)
            case told.Configured((Session() as session, *_), behind):
                self._turns.found, self._turns.behind = session.detection is not None, behind
                return (self._shown("updated", session),)
            case told.Noted(Turn() as turn):
                return self._written(self._turns.close(turn))
            case told.Noted():
                return (self._event(f"{_BUFFER}.cleared"),)
            case told.Refused():
                return (self._refused(news),)
            case told.Heard(_, speech):
                return self._written(self._turns.hear(speech))
            case told.Guess(_, interim):
                return self._written(self._turns.guess(interim))
            case told.Decided(_, final):
                return self._written(self._turns.decide(final))
            case told.Failed(error):
                return self._failed(error)
        return ()

    def close(self, error: ScriptaError | None) -> Close:
        """Returns how the call ends; clients come back from gateways that are full or leave."""
        return Close(1000) if error is None else Close(error.close_code, str(error))

    def _event(self, kind: str, turn: Turn | None = None, **fields: Any) -> str:
        self._events += 1
        event = {"type": kind, "event_id": f"event_{self._request.id[:16]}{self._events:06}"}
        item = {} if turn is None else {"item_id": self._id(turn)}
        return msgspec.json.encode(event | item | fields).decode()

    def _id(self, turn: Turn) -> str:
        return f"item_{self._request.id[:16]}{turn.number:05}"

    def _shown(self, what: str, session: Session) -> str:
        ends = int(self._request.at) + _SESSION_SECONDS
        shown = {
            "id": f"sess_{self._request.id}",
            "object": "realtime.transcription_session",
            "expires_at": ends,
            **session.shown(as_beta=self._beta),
        }
        if not self._beta:
            return self._event(f"session.{what}", session=shown)
        # The vendor's own model of this event has to have a secret; it is one that opens nothing.
        shown["client_secret"] = {"value": "", "expires_at": ends}
        return self._event(f"transcription_session.{what}", session=shown)

    def _refused(self, refused: told.Refused) -> str:
        error = refused.detail
        if not isinstance(error, dict):  # it is the call's word
            event_id = None
            if isinstance(error, tuple):
                _, before, event_id = error
                self._hold(before)
            error = {**errors.fault(refused.message, "invalid_value"), "event_id": event_id}
        return self._event("error", error=error)

    def _failed(self, error: ScriptaError) -> list[str]:
        events: list[str] = []
        failed = {"content_index": 0, "error": errors.described(error)}
        for turn in self._turns.undecided:
            events += self._written(self._turns.close(turn))
            events.append(self._event(f"{_TRANSCRIPTION}.failed", turn, **failed))
        events += self._written(self._turns.leave())
        if isinstance(error, OverLimit | Unauthorized):
            # The vendor's package for Node tells its user of events, but not why it was closed.
            events.append(self._event("error", error=errors.described(error) | {"event_id": None}))
        return events

    def _written(self, changes: Sequence[Change]) -> list[str]:
        return [event for change in changes for event in self._events_of(change)]

    def _events_of(self, change: Change) -> Sequence[str]:
        turn = change.turn
        match change.step:
            case Step.BEGAN:
                at = {"audio_start_ms": round(1000 * turn.start)}
                return (self._event(f"{_BUFFER}.speech_started", turn, **at),)
            case Step.STOPPED:
                at = {"audio_end_ms": round(1000 * (turn.end or turn.start))}
                return (self._event(f"{_BUFFER}.speech_stopped", turn, **at),)
            case Step.ENDED:
                return self._committed(turn)
            case Step.GREW:
                text = {"content_index": 0, "delta": change.text, "logprobs": None}
                return (self._event(f"{_TRANSCRIPTION}.delta", turn, **text),)
            case Step.COMPLETED:
                result = results.of_finals(turn.finals, logprobs=bool(self._session.include))
                text = {"content_index": 0, "transcript": turn.transcript, **result}
                text["usage"] = results.usage(turn.seconds)
                return (self._event(f"{_TRANSCRIPTION}.completed", turn, **text),)

    def _committed(self, turn: Turn) -> Sequence[str]:
        item = {
            "id": self._id(turn),
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        before: dict[str, Any] = {"previous_item_id": turn.previous and self._id(turn.previous)}
        kinds = ("created",) if self._beta else ("added", "done")
        return (
            self._event(f"{_BUFFER}.committed", turn, **before),
            *(self._event(f"conversation.item.{kind}", item=item, **before) for kind in kinds),
        )


class RealtimeDialect:
    """Realtime transcription.

    Args:
        names: Names of models.
    """

    name = DialectName.OPENAI
    # Clients connect before anybody speaks, and keep a connection for the next who does.
    policy = Policy(
        acks=False,
        audio_in_text=True,
        last_words=True,
        renews=True,
        first=300.0,
        key_prefix="openai-insecure-api-key.",
    )

    def __init__(self, names: ModelNames) -> None:
        self._names = names

    def begin(self, request: Request) -> RealtimeCodec:
        """Returns the codec of a client; raises ``BadRequest`` for what is no transcription."""
        query = dict(request.query)
        talkative = talks(query.get("model")) and "intent" not in query
        if talkative or query.get("intent", "transcription") != "transcription":
            raise BadRequest("Only transcription is served here: connect with intent=transcription")
        try:
            return RealtimeCodec(request, self._own_name)
        except msgspec.ValidationError:
            raise BadRequest("Bad value for model: it has to be the name of a model") from None

    def refuse(self, request: Request, error: ScriptaError) -> Refusal:
        """Returns the error in the vendor's form."""
        return errors.refusal(error)

    def _own_name(self, name: str | None) -> str | None:
        return None if talks(name) else self._names.own(name)
