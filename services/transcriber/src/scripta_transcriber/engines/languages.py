"""Languages of models: BCP-47 primary tags, and what Whisper calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from scripta_transcriber.engines.base import EngineError
from scripta_transcriber.engines.source import ModelSource

_WHISPER_CODES: Final = {"jv": "jw", "nb": "no", "fil": "tl", "cmn": "zh"}
"""Tags that Whisper has another code for."""

UNSPACED: Final = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Codes of languages whose words Whisper does not part by spaces."""

_ENGLISH_ONLY: Final = 51864
"""Entries of the vocabulary of a Whisper model that knows English only."""


def primary(tag: str) -> str:
    """Returns the code that Whisper has for the language of a BCP-47 tag."""
    language = tag.partition("-")[0].lower()
    return _WHISPER_CODES.get(language, language)


def whisper_languages(source: ModelSource) -> frozenset[str]:
    """Returns the primary tags that a Whisper model knows; none if it can not be read.

    A model that is missing says so when it is loaded.
    """
    try:
        vocabulary = _vocabulary(source.find("whisper"))
    except (EngineError, OSError, ValueError):
        return frozenset()
    if len(vocabulary) == _ENGLISH_ONLY:
        return frozenset({"en"})
    codes = {token[2:-2] for token in vocabulary if _is_language(token)}
    return frozenset(codes | {tag for tag, code in _WHISPER_CODES.items() if code in codes})


def _vocabulary(folder: Path) -> list[str]:
    as_json = folder / "vocabulary.json"
    if as_json.is_file():
        return list(json.loads(as_json.read_text(encoding="utf-8")))
    return (folder / "vocabulary.txt").read_text(encoding="utf-8").splitlines()


def _is_language(token: str) -> bool:
    return token.startswith("<|") and token.endswith("|>") and 2 <= len(token) - 4 <= 3
