"""Events of OpenAI's realtime transcription, and a codec that is told and asked by them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from scripta_common.wire import Final, Interim, Reason, Speech, SpeechKind
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.model_names import ModelNames
from scripta_gateway.dialects.openai import RealtimeCodec, RealtimeDialect
from scripta_gateway.dialects.openai.models import TRANSCRIPTION_MODELS
from scripta_gateway.transports.base import Request

Event = dict[str, Any]
RATE = 24_000
BETA = {"openai-beta": "realtime=v1"}
APPEND = "input_audio_buffer.append"
COMMIT = {"type": "input_audio_buffer.commit", "event_id": "mine"}
DIALECT = RealtimeDialect(ModelNames(TRANSCRIPTION_MODELS, {"whisper-1": "whisper"}))


def request(query: str = "intent=transcription", headers: Mapping[str, str] = {}) -> Request:
    pairs = [tuple(pair.split("=", 1)) for pair in query.split("&") if pair]
    return Request("ab" * 16, 1_770_000_000.5, "/v1/realtime", pairs, headers)  # type: ignore[arg-type]


def codec(query: str = "intent=transcription", headers: Mapping[str, str] = {}) -> RealtimeCodec:
    return DIALECT.begin(request(query, headers))


def read(one: RealtimeCodec, event: Any) -> tuple[asks.Ask, ...]:
    return tuple(one.read(event if isinstance(event, str | bytes) else json.dumps(event)))


def write(one: RealtimeCodec, *news: told.Told) -> list[Event]:
    return [json.loads(frame) for each in news for frame in one.write(each)]


def kinds(events: Iterable[Event]) -> list[str]:
    """Returns the types of events, without what they have in common."""
    return [
        event["type"]
        .replace("conversation.item.input_audio_transcription.", "")
        .replace("conversation.item.", "item ")
        .replace("input_audio_buffer.", "")
        for event in events
    ]


def update(one: RealtimeCodec, session: Event, kind: str = "session.update") -> asks.Configure:
    (ask,) = read(one, {"type": kind, "session": session})
    assert isinstance(ask, asks.Configure), ask
    return ask


def updated(one: RealtimeCodec, session: Event, kind: str = "session.update") -> Event:
    """Updates the session and returns it as the client is shown it."""
    ask = update(one, session, kind)
    (event,) = write(one, told.Configured(ask.detail))
    shown: Event = event["session"]
    return shown


def audio(**fields: Any) -> Event:
    return {"type": "transcription", "audio": {"input": fields}}


def append(one: RealtimeCodec, seconds: float) -> asks.Ask:
    samples = base64.b64encode(bytes(2 * round(seconds * RATE))).decode()
    (ask,) = read(one, {"type": APPEND, "audio": samples})
    return ask


def heard(kind: SpeechKind, at: float) -> told.Heard:
    return told.Heard(0, Speech(kind, at))


def guess(stable: str, start: float, end: float) -> told.Guess:
    return told.Guess(0, Interim(start, end, f"{stable} and", stable))


def final(
    text: str, start: float, end: float, reason: Reason = Reason.ENDPOINT, **more: Any
) -> told.Decided:
    return told.Decided(0, Final(1, start, end, text, reason, **more))


def committing() -> RealtimeCodec:
    """Returns a codec whose client ends its turns itself."""
    one = codec()
    assert updated(one, audio(turn_detection=None))["audio"]["input"]["turn_detection"] is None
    return one
