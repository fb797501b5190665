"""What the scripted server says: each vendor's documented messages, with every required field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clients.scripted import Close, Frame

UUID = "11111111-2222-4333-8444-555555555555"
MODEL = {"name": "2-general-nova", "version": "2024-01-18.26916", "arch": "nova-2"}


def deepgram_results(
    text: str, *, is_final: bool, from_finalize: bool = False, channel: tuple[int, int] = (0, 1)
) -> dict[str, Any]:
    words = [
        {"word": word, "start": 0.1 * at, "end": 0.1 * at + 0.1, "confidence": 0.9}
        for at, word in enumerate(text.split())
    ]
    best = {"transcript": text, "confidence": 0.9, "words": words}
    return {
        "type": "Results",
        "channel_index": list(channel),
        "duration": 1.5,
        "start": 0.0,
        "is_final": is_final,
        "speech_final": is_final,
        "from_finalize": from_finalize,
        "channel": {"alternatives": [best]},
        "metadata": {"request_id": UUID, "model_uuid": UUID, "model_info": MODEL},
    }


def deepgram_metadata() -> dict[str, Any]:
    return {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": UUID,
        "sha256": "0" * 64,
        "created": "2026-08-20T10:11:12.345Z",
        "duration": 2.0,
        "channels": 1,
        "models": [UUID],
        "model_info": {UUID: MODEL},
    }


class DeepgramScript:
    """An interim after the first audio; finals after Finalize and CloseStream, then the end."""

    def __init__(self) -> None:
        self.audio = 0

    def __call__(self, frame: Frame) -> Iterator[dict[str, Any] | Close]:
        if isinstance(frame, bytes):
            self.audio += 1
            if self.audio == 1:
                yield {"type": "SpeechStarted", "channel": [0, 1], "timestamp": 0.1}
                yield deepgram_results("ever", is_final=False)
        elif frame["type"] == "Finalize":
            yield deepgram_results("ever tried", is_final=True, from_finalize=True)
        elif frame["type"] == "CloseStream":
            yield deepgram_results("ever failed", is_final=True)
            yield {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 1.4}
            yield deepgram_metadata()
            yield 1000, ""


def deepgram_answer() -> dict[str, Any]:
    best = deepgram_results("ever tried", is_final=True)["channel"]["alternatives"][0]
    metadata = {name: value for name, value in deepgram_metadata().items() if name != "type"}
    return {"metadata": metadata, "results": {"channels": [{"alternatives": [best]}]}}


INPUT = {
    "format": {"type": "audio/pcm", "rate": 24000},
    "transcription": {"model": "gpt-4o-transcribe", "language": "en"},
    "turn_detection": {"type": "server_vad", "threshold": 0.5},
}


def openai_session(kind: str) -> dict[str, Any]:
    session = {"type": "transcription", "audio": {"input": INPUT}}
    return {"type": kind, "event_id": "e", "session": session}


def openai_turn(item: str, text: str) -> Iterator[dict[str, Any]]:
    """Yields the events of one turn from its commit on."""
    prefix = "conversation.item.input_audio_transcription"
    common = {"event_id": "e", "item_id": item}
    part = {"type": "input_audio", "transcript": None}
    message = {"id": item, "type": "message", "role": "user", "content": [part]}
    yield {"type": "input_audio_buffer.committed", "previous_item_id": None, **common}
    yield {"type": "conversation.item.added", "event_id": "e", "item": message}
    for word in text.split():
        yield {"type": f"{prefix}.delta", "content_index": 0, "delta": f"{word} ", **common}
    usage = {"type": "duration", "seconds": 2}
    yield {
        "type": f"{prefix}.completed",
        "content_index": 0,
        "transcript": text,
        "usage": usage,
        **common,
    }


class OpenAIScript:
    """A turn for each commit; with server_vad one turn by itself after the first audio."""

    def __init__(self, beta: bool = False) -> None:
        self.updated = "transcription_session.updated" if beta else "session.updated"
        self.vad = True
        self.turns = 0

    def __call__(self, frame: Frame) -> Iterator[dict[str, Any] | Close]:
        assert isinstance(frame, dict)
        kind = frame["type"]
        if kind.endswith("session.update"):
            told = frame["session"]
            wanted = told["audio"]["input"] if "audio" in told else told
            self.vad = wanted.get("turn_detection") is not None
            yield self._session()
        elif kind == "input_audio_buffer.append" and self.vad and not self.turns:
            item = {"event_id": "e", "item_id": "item_1"}
            yield {"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, **item}
            yield {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 900, **item}
            yield from self._turn()
        elif kind == "input_audio_buffer.commit":
            yield from self._turn()

    def _turn(self) -> Iterator[dict[str, Any]]:
        self.turns += 1
        yield from openai_turn(f"item_{self.turns}", "ever tried")

    def _session(self) -> dict[str, Any]:
        if self.updated == "session.updated":
            return openai_session(self.updated)
        secret = {"value": "ek_1", "expires_at": 1770000000}
        return {"type": self.updated, "event_id": "e", "session": {"client_secret": secret}}


class VoskScript:
    """One reply for each frame of audio, none for a configuration."""

    def __init__(self) -> None:
        self.audio = 0

    def __call__(self, frame: Frame) -> Iterator[dict[str, Any] | Close]:
        if isinstance(frame, bytes):
            self.audio += 1
            yield {"text": "ever tried"} if self.audio == 3 else {"partial": "ever"}
        elif "eof" in frame:
            yield {"text": "ever failed"}
            yield 1000, ""


ATTRIBUTION = {"name": "n", "url": "u"}
ARTIFACT = {
    "name": "m",
    "attribution": ATTRIBUTION,
    "installed": True,
    "description": "",
    "version": "1",
}
WYOMING = {
    "describe": [
        {
            "type": "info",
            "data": {"asr": [{**ARTIFACT, "models": [{**ARTIFACT, "languages": ["en"]}]}]},
        }
    ],
    "audio-stop": [
        {"type": "transcript-start"},
        {"type": "transcript-chunk", "data": {"text": "ever"}},
        {"type": "transcript", "data": {"text": "ever tried", "language": "en"}},
        {"type": "transcript-stop"},
    ],
}
