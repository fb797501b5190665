"""The vocabulary of Moonshine: token ids to text.

The file holds one record a token, in the order of their ids: a length (one byte, or two if
the first is 128 or more: ``second * 128 + first - 128``) and that many bytes of UTF-8 or, for
the byte tokens, one raw byte. U+2581 stands for a space.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripta_transcriber.engines.base import EngineError

CONTROL_TOKENS = 3
"""Ids below this (unknown, begin, end) have no text."""

_SPACE = "\u2581"
_RUN = re.compile(rb"\S+")


@dataclass(frozen=True, slots=True)
class Spelt:
    """A word, and which of the tokens spell it.

    Attributes:
        text: The word with the signs around it.
        first: Index of the first of its tokens.
        last: Index of the last that spells a letter or a figure of it; of its last token if it
            has neither.
    """

    text: str
    first: int
    last: int


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

    def words(self, ids: Sequence[int]) -> list[Spelt]:
        """Returns the words of ``text(ids)``, each with its tokens."""
        space = _SPACE.encode()
        pieces = [self._pieces[i].replace(space, b" ") if i >= CONTROL_TOKENS else b"" for i in ids]
        owners = [at for at, piece in enumerate(pieces) for _ in piece]
        found = []
        for run in _RUN.finditer(b"".join(pieces)):
            first, last = owners[run.start()], owners[run.end() - 1]
            spoken = [at for at in range(first, last + 1) if _speaks(pieces[at])]
            for text in run[0].decode("utf-8", errors="ignore").split():
                found.append(Spelt(text, first, max(spoken, default=last)))
        return found


def _speaks(piece: bytes) -> bool:
    text = piece.decode("utf-8", errors="replace")
    # A token that is one byte of several is a part of a letter more often than of a sign.
    return "\ufffd" in text or any(map(str.isalnum, text))


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
