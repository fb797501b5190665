"""Answers for a recording, in each form that a client can ask for. Pure."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from scripta_common.wire import Final as FinalResult
from scripta_common.wire import Word
from scripta_gateway.dialects import subtitles
from scripta_gateway.dialects.openai import results
from scripta_gateway.dialects.openai.recordings.wanted import Granularity, Shape, Wanted

_NAMES: Final = {
    "ar": "arabic", "cs": "czech", "da": "danish", "de": "german", "el": "greek",
    "en": "english", "es": "spanish", "fi": "finnish", "fr": "french", "hi": "hindi",
    "it": "italian", "ja": "japanese", "ko": "korean", "nl": "dutch", "no": "norwegian",
    "pl": "polish", "pt": "portuguese", "ru": "russian", "sv": "swedish", "tr": "turkish",
    "uk": "ukrainian", "vi": "vietnamese", "zh": "chinese",
}  # fmt: skip
"""What a verbose answer calls languages; others by their tag."""
_UNKNOWN: Final = "unknown"
_FRAMES_A_SECOND: Final = 100


def text_of(finals: Sequence[FinalResult]) -> str:
    """Returns all that was said."""
    return " ".join(final.text for final in finals if final.text)


def answer(wanted: Wanted, finals: Sequence[FinalResult], seconds: float) -> str:
    """Returns the whole answer.

    Args:
        wanted: What the client wants.
        finals: All of the recording.
        seconds: Its length.
    """
    match wanted.shape:
        case Shape.TEXT:
            return text_of(finals) + "\n"
        case Shape.SRT:
            return subtitles.srt(finals)
        case Shape.VTT:
            return subtitles.vtt(finals)
        case Shape.VERBOSE:
            return _json(_verbose(wanted, finals, seconds))
        case Shape.JSON:
            shown = {"text": text_of(finals), **_known(wanted, finals)}
            return _json(shown | {"usage": results.usage(seconds)})


def delta(text: str) -> str:
    """Returns the event that text has come."""
    return _event({"type": "transcript.text.delta", "delta": text})


def done(wanted: Wanted, finals: Sequence[FinalResult]) -> str:
    """Returns the event that all text has come. The vendor's has usage in tokens or none."""
    said = {"type": "transcript.text.done", "text": text_of(finals)}
    return _event(said | _known(wanted, finals))


def failed(error: dict[str, Any]) -> str:
    """Returns the event that no more text comes."""
    return _event({"type": "error", "error": error})


def _verbose(wanted: Wanted, finals: Sequence[FinalResult], seconds: float) -> dict[str, Any]:
    spoken = next((final.language for final in finals if final.language), wanted.language)
    tag = spoken or _UNKNOWN
    shown: dict[str, Any] = {
        "task": "transcribe",
        "language": _NAMES.get(tag.partition("-")[0].lower(), tag),
        "duration": round(seconds, 3),
        "text": text_of(finals),
    }
    said = [final for final in finals if final.text]
    if Granularity.SEGMENT in wanted.granularities or not wanted.granularities:
        shown["segments"] = [_segment(number, final) for number, final in enumerate(said)]
    if Granularity.WORD in wanted.granularities:
        shown["words"] = [_word(word) for final in said for word in final.words]
    return shown | {"usage": results.usage(seconds)}


def _segment(number: int, final: FinalResult) -> dict[str, Any]:
    text = final.text.encode()
    return {
        "id": number,
        "seek": round(_FRAMES_A_SECOND * final.start),
        "start": round(final.start, 3),
        "end": round(final.end, 3),
        "text": final.text,
        "tokens": [],  # engines here have tokens of their own
        "temperature": 0.0,
        "avg_logprob": round(_certainty(final), 6),
        "compression_ratio": round(len(text) / len(zlib.compress(text)), 6),
        "no_speech_prob": 0.0,
    }


def _certainty(final: FinalResult) -> float:
    """Returns the mean logarithm of the words' probability; 0 where the engine has none."""
    known = [word.confidence for word in final.words if word.confidence is not None]
    known = known or ([final.confidence] if final.confidence is not None else [1.0])
    return sum(math.log(max(each, 1e-9)) for each in known) / len(known)


def _word(word: Word) -> dict[str, Any]:
    return {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}


def _known(wanted: Wanted, finals: Sequence[FinalResult]) -> dict[str, Any]:
    known = results.of_finals(finals, logprobs=wanted.logprobs)
    return {name: value for name, value in known.items() if value is not None}


def _event(event: dict[str, Any]) -> str:
    return f"data: {_json(event)}\n\n"


def _json(shown: dict[str, Any]) -> str:
    return msgspec.json.encode(shown).decode()
