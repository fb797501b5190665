"""Results in the vendor's form, live and of recordings. Pure.

The vendor's packages require a confidence everywhere: it is the word's, else its segment's, else
``UNKNOWN_CONFIDENCE``.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from scripta_common.wire import Final as FinalResult
from scripta_common.wire import Interim, Word
from scripta_gateway.dialects.deepgram.query import Query
from scripta_gateway.text import ChannelTexts
from scripta_gateway.transports.base import Request

UNKNOWN_CONFIDENCE: Final = 0.9


def seconds(value: float) -> float:
    """Returns a time as it is written."""
    return round(value, 3)


def request_id(request: Request) -> str:
    """Returns the id of a call as the vendor writes ids."""
    return str(uuid.UUID(request.id))


class Results:
    """What is said of one call, and of what was said in it.

    Args:
        request: How it began.
        query: What its client asks for.

    Attributes:
        id: Its id.
    """

    def __init__(self, request: Request, query: Query) -> None:
        self.id = request_id(request)
        self._created = datetime.fromtimestamp(request.at, UTC).isoformat(timespec="milliseconds")
        self._query = query
        self._texts = ChannelTexts(query.rules(), None if query.multilingual else query.language)
        self._extra = dict(pair.partition(":")[::2] for pair in query.extra)
        self.name(query.model or "default")

    def name(self, model: str) -> None:
        """Names the model that transcribes; its id is the same for the same name."""
        self.model = model
        self.model_uuid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"scripta:model:{model}"))
        self._info = {"name": model, "version": "latest", "arch": "scripta"}

    def write_numerals(self, numerals: bool) -> None:
        """Sets whether number words become digits from now on."""
        self._texts.rules = replace(self._texts.rules, numerals=numerals)

    @property
    def origin(self) -> dict[str, Any]:
        """What stands with each result."""
        made = {"request_id": self.id, "model_uuid": self.model_uuid, "model_info": self._info}
        return {**made, "extra": self._extra} if self._extra else made

    def metadata(self, digest: str, length: float, channels: int) -> dict[str, Any]:
        """Returns what is said of the call as a whole.

        Args:
            digest: SHA-256 of what the client sent.
            length: Seconds of audio.
            channels: Channels that were transcribed.
        """
        return {
            "transaction_key": "deprecated",
            "request_id": self.id,
            "sha256": digest,
            "created": self._created.replace("+00:00", "Z"),
            "duration": seconds(length),
            "channels": channels,
            "models": [self.model_uuid],
            "model_info": {self.model_uuid: self._info},
            **({"extra": self._extra} if self._extra else {}),
            **({"tags": self._query.tag} if self._query.tag else {}),
        }

    def alternative(
        self, results: Sequence[FinalResult | Interim], channel: int = 0, *, whole: bool = False
    ) -> dict[str, Any]:
        """Returns what was said in results that follow each other, as the client wants it.

        Args:
            results: The results.
            channel: Where they were said.
            whole: Whether nothing follows them.
        """
        texts: list[str] = []
        words: list[dict[str, Any]] = []
        languages: dict[str, None] = {}
        shown = self._texts.shown(results, channel, whole=whole)
        for result, spoken in zip(results, shown, strict=True):
            sure = getattr(result, "confidence", None)
            pairs = zip(spoken.words, spoken.plain, strict=True)
            said = [self._word(word, plain, sure) for word, plain in pairs]
            language = getattr(result, "language", None)
            if self._query.multilingual and language:
                languages[language] = None
                said = [{**word, "language": language} for word in said]
            words += said
            texts.append(spoken.text)
        sure = sum(word["confidence"] for word in words) / len(words) if words else 0.0
        return {
            "transcript": " ".join(filter(None, texts)),
            "confidence": round(sure, 4),
            **({"languages": list(languages)} if languages else {}),
            "words": words,
        }

    def _word(self, word: Word, plain: str, confidence: float | None) -> dict[str, Any]:
        known = confidence if word.confidence is None else word.confidence
        return {
            "word": plain,
            "start": seconds(word.start),
            "end": seconds(word.end),
            "confidence": UNKNOWN_CONFIDENCE if known is None else round(known, 4),
            **({"punctuated_word": word.text} if self._query.punctuated else {}),
        }
