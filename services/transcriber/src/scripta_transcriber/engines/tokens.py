"""The vocabulary of Moonshine: token ids to text.

The file holds one record a token, in the order of their ids: a length (one byte, or two if
the first is 128 or more: ``second * 128 + first - 128``) and that many bytes of UTF-8 or, for
the byte tokens, one raw byte. U+2581 stands for a space.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scripta_transcriber.engines.base import EngineError

CONTROL_TOKENS = 3
"""Ids below this (unknown, begin, end) have no text."""

_SPACE = "\u2581"


class Vocabulary:
    """Turns token ids into text."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def __len__(self) -> int:
        return len(self._pieces)

    @classmethod
    def read(cls, path: Path) -> Vocabulary:
        """Reads a ``tokenizer.bin``.

        Raises:
            EngineError: The file cannot be read or ends in the middle of a token.
        """
        try:
            return cls(_split(path.read_bytes()))
        except (OSError, ValueError) as error:
            raise EngineError(
                f"tokenizer file {path} cannot be read ({error}): "
                "reinstall the package it belongs to"
            ) from error

    def piece(self, token: int) -> str:
        """Returns the text of one token, with a space before it where it begins a word."""
        if token < CONTROL_TOKENS:
            return ""
        return self._pieces[token].decode("utf-8", errors="ignore").replace(_SPACE, " ")

    def text(self, ids: Iterable[int]) -> str:
        """Returns the text of token ids, trimmed, single-spaced; control tokens are left out."""
        data = b"".join(self._pieces[i] for i in ids if i >= CONTROL_TOKENS)
        return " ".join(data.decode("utf-8", errors="ignore").replace(_SPACE, " ").split())


def _split(data: bytes) -> list[bytes]:
    pieces: list[bytes] = []
    at = 0
    while at < len(data):
        length = data[at]
        at += 1
        if length >= 128:
            if at >= len(data):
                raise ValueError("it ends inside a length")
            length = data[at] * 128 + length - 128
            at += 1
        if at + length > len(data):
            raise ValueError("it ends inside a token")
        pieces.append(data[at : at + length])
        at += length
    if len(pieces) <= CONTROL_TOKENS:
        raise ValueError("it has no tokens")
    return pieces
