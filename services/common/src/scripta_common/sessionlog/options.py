"""What a session was opened with, as it stands in its state."""

from __future__ import annotations

import msgspec

from scripta_common.keys import DEFAULT_POOL


class SessionOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """Options that the transcriber needs; JSON in the session's state.

    Attributes:
        language: BCP-47 tag the client asked for; ``None`` leaves it to the engine.
        interim_results: Whether anybody looks at interims.
        endpointing_ms: Silence that ends a segment; ``None`` for the transcriber's default; 0: no
            silence does, only boundaries and the longest segment.
        traceparent: W3C trace context of the session's trace.
        client_id: Number that the client knows itself by, on whatever gateway.
        model: Its model for all of its life, by its own name; as the client named it where the
            gateway could not tell that; ``None`` leaves it to the transcriber.
        pool: Transcribers that serve the session, for all of its life.
        max_segment_ms: Speech that goes on is cut when a segment is so long; ``None`` for the
            transcriber's default.
        word_times: Whether finals have their words with times; without them a final is cheaper.
        speech_events: Whether anybody wants to be told when speech begins and ends.
        upload: Whether it can wait, as a recording can: live sessions go before it.
        silence_ms: Silence behind speech, by the audio's clock, that is told once, as are the
            beginning and the end of speech then; ``None``: none.
        tenant: For whom the session is; empty where callers need no key.
        key: Id of the key that it was opened with; empty where callers need none.
        keyterms: Words that are probably said; a model that can not be given any hears without.
    """

    language: str | None = None
    interim_results: bool = False
    endpointing_ms: int | None = None
    traceparent: str | None = None
    client_id: int = 0
    model: str | None = None
    pool: str = DEFAULT_POOL
    max_segment_ms: int | None = None
    word_times: bool = True
    speech_events: bool = False
    silence_ms: int | None = None
    upload: bool = False
    tenant: str = ""
    key: str = ""
    keyterms: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Returns the JSON bytes."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> SessionOptions:
        """Returns the options; names it does not know are ignored (a newer gateway)."""
        return msgspec.json.decode(data, type=cls)
