"""A codec of Deepgram's live protocol, and what it is told."""

from __future__ import annotations

import json
from typing import Any

from scripta_common.wire import Final, Reason, Word
from scripta_gateway.dialects import told
from scripta_gateway.dialects.deepgram import LiveCodec, LiveDialect
from scripta_gateway.dialects.deepgram.models import MODELS
from scripta_gateway.dialects.model_names import ModelNames
from scripta_gateway.transports.base import Request

Message = dict[str, Any]
DIALECT = LiveDialect(ModelNames(MODELS, {"nova-2": "whisper"}))
ID = "abababab-abab-abab-abab-abababababab"
HELLO = (Word("Hello,", 0.5, 0.8, 0.75), Word("World.", 0.9, 1.2))


def request(query: str = "", subprotocols: tuple[str, ...] = ()) -> Request:
    pairs = [tuple(pair.split("=", 1)) for pair in query.split("&") if pair]
    return Request("ab" * 16, 1_770_000_000.5, "/v1/listen", pairs, {}, subprotocols)  # type: ignore[arg-type]


def codec(query: str = "", **more: Any) -> LiveCodec:
    one = DIALECT.begin(request(query, **more))
    one.greet(told.Opened("sid", 1, model="moonshine"))
    return one


def write(one: LiveCodec, *news: told.Told) -> list[Message]:
    return [json.loads(frame) for each in news for frame in one.write(each)]


def final(end: float, reason: Reason = Reason.ENDPOINT, **more: Any) -> told.Decided:
    result = Final(1, 0.4, end, "Hello, World.", reason, HELLO, confidence=0.5)
    channel = more.pop("channel", 0)
    changed = {name: more.get(name, getattr(result, name)) for name in result.__struct_fields__}
    return told.Decided(channel, Final(**changed))
