"""The dialects by name, as labels of metrics and traces have them."""

from __future__ import annotations

from enum import StrEnum


class DialectName(StrEnum):
    """Wire protocols that clients speak."""

    NATIVE = "native"
    DEEPGRAM = "deepgram"
    OPENAI = "openai"
    VOSK = "vosk"
    WYOMING = "wyoming"
