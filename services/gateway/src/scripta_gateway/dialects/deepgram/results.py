"""Results in the vendor's form, live and of recordings. Pure.

The vendor's packages require a confidence everywhere: it is the word's, else its segment's, else
``UNKNOWN_CONFIDENCE``.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final

from scripta_common.wire import Final as FinalResult
from scripta_common.wire import Interim, Word
from scripta_gateway.dialects.deepgram.query import Query

UNKNOWN_CONFIDENCE: Final = 0.9
_PUNCTUATION: Final = '.,;:!?…¿¡"“”„«»()[]{}‘—–-'
_ARCHITECTURE: Final = "scripta"


def seconds(value: float) -> float:
    """Returns a time as it is written."""
    return round(value, 3)


def request_id(call_id: str) -> str:
    """Returns the id of a call as the vendor writes ids."""
    return str(uuid.UUID(call_id))


def model_uuid(model: str) -> str:
    """Returns the id of a model; the same for the same name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"scripta:model:{model}"))


def model_info(model: str) -> dict[str, str]:
    """Returns what is said of a model."""
    return {"name": model, "version": "latest", "arch": _ARCHITECTURE}


def words_of(result: FinalResult | Interim) -> Sequence[Word]:
    """Returns the words of a result; their times are estimates where it has none."""
    if isinstance(result, FinalResult) and result.words:
        return result.words
    texts = result.text.split()
    each = (result.end - result.start) / max(1, len(texts))
    return [
        Word(text, result.start + each * at, result.start + each * (at + 1))
        for at, text in enumerate(texts)
    ]


def alternative(query: Query, results: Iterable[FinalResult | Interim]) -> dict[str, Any]:
    """Returns what was said in some results, which follow each other, as the query wants it."""
    texts: list[str] = []
    words: list[dict[str, Any]] = []
    languages: dict[str, None] = {}
    for result in results:
        known = result.confidence if isinstance(result, FinalResult) else None
        language = result.language if isinstance(result, FinalResult) else None
        said = [_word(query, word, known) for word in words_of(result)]
        said = [word for word in said if word["word"]]
        if query.multilingual and language:
            languages[language] = None
            said = [{**word, "language": language} for word in said]
        words += said
        texts.append(result.text if query.punctuated else " ".join(word["word"] for word in said))
    sure = sum(word["confidence"] for word in words) / len(words) if words else 0.0
    return {
        "transcript": " ".join(text for text in texts if text),
        "confidence": round(sure, 4),
        **({"languages": list(languages)} if languages else {}),
        "words": words,
    }


def _word(query: Query, word: Word, confidence: float | None) -> dict[str, Any]:
    known = confidence if word.confidence is None else word.confidence
    return {
        "word": word.text.strip(_PUNCTUATION).lower(),
        "start": seconds(word.start),
        "end": seconds(word.end),
        "confidence": UNKNOWN_CONFIDENCE if known is None else round(known, 4),
        **({"punctuated_word": word.text} if query.punctuated else {}),
    }
