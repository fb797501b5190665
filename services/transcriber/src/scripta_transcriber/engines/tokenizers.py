"""Which language Whisper hears, and the tokenizer that it has for each."""

from __future__ import annotations

from typing import Any

from faster_whisper.tokenizer import Tokenizer

from scripta_transcriber.engines.languages import primary


class Tokenizers:
    """The tokenizers of a model, each made when its language is first spoken.

    Threads may make the same one twice; it does not matter which of them stays.

    Args:
        model: A loaded ``WhisperModel``.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._made: dict[str, Tokenizer] = {}

    def language(self, asked: str | None, encoded: Any) -> tuple[str, float]:
        """Returns the language that is asked for, or else is heard, and how sure that is.

        Args:
            asked: BCP-47 tag; ``None`` if the session does not say.
            encoded: The encoder's output for the segment.
        """
        if not self._model.model.is_multilingual:
            return "en", 1.0
        if asked is not None:
            return primary(asked), 1.0
        token, probability = self._model.model.detect_language(encoded)[0][0]
        return token[2:-2], probability

    def of(self, language: str) -> Tokenizer:
        """Returns the tokenizer of a language, by Whisper's code."""
        if language not in self._made:
            self._made[language] = Tokenizer(
                self._model.hf_tokenizer,
                self._model.model.is_multilingual,
                task="transcribe",
                language=language,
            )
        return self._made[language]
