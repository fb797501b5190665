"""Parts of results that all answers of the vendor share. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scripta_common.wire import Final, Word

_LEAST_PROBABILITY = 1e-9


def usage(seconds: float) -> dict[str, Any]:
    """Returns what was used, as audio of some seconds."""
    return {"type": "duration", "seconds": round(seconds, 3)}


def of_finals(finals: Sequence[Final], *, logprobs: bool) -> dict[str, Any]:
    """Returns what is known beside the text: languages, and probabilities if they are wanted."""
    words = [_logprob(word) for final in finals for word in final.words if word.confidence]
    known: dict[str, Any] = {"logprobs": words if words and logprobs else None}
    tags = dict.fromkeys(final.language for final in finals if final.language)
    return known | ({"languages": [{"code": tag} for tag in tags]} if tags else {})


def _logprob(word: Word) -> dict[str, Any]:
    probability = max(word.confidence or 0.0, _LEAST_PROBABILITY)
    said = {"token": word.text, "bytes": list(word.text.encode())}
    return {**said, "logprob": round(math.log(probability), 6)}
