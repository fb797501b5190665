"""Parts of results that all answers of the vendor share. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from scripta_common.wire import Word

_LEAST_PROBABILITY = 1e-9


def usage(seconds: float) -> dict[str, Any]:
    """Returns what was used, as audio of some seconds."""
    return {"type": "duration", "seconds": round(seconds, 3)}


def languages(tags: Iterable[str | None]) -> list[dict[str, str]]:
    """Returns languages in their order, each once; none where none is known."""
    return [{"code": tag} for tag in dict.fromkeys(tags) if tag]


def logprobs(words: Iterable[Word]) -> list[dict[str, Any]] | None:
    """Returns the logarithm of each word's probability; ``None`` if the engine has none."""
    known = [
        {
            "token": word.text,
            "logprob": round(math.log(max(word.confidence, _LEAST_PROBABILITY)), 6),
            "bytes": list(word.text.encode()),
        }
        for word in words
        if word.confidence is not None
    ]
    return known or None
