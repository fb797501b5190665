"""Amounts of money and percentages with their signs: "$20.50", "5%". Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from scripta_gateway.text.pieces import Piece, ends_here, join
from scripta_gateway.text.vocabulary import SCALES

_SIGNS: Final = {"dollar": "$", "dollars": "$", "euro": "€", "euros": "€"}
"""Pounds are a weight, too."""
_CENTS: Final = frozenset({"cent", "cents"})
_PERCENT: Final = frozenset({"percent"})
_NUMBER: Final = re.compile(r"\d[\d,]*(\.\d+)?")
_WHOLE: Final = re.compile(r"\d[\d,]*")
_SMALL: Final = re.compile(r"\d\d?")


def with_amounts(pieces: Sequence[Piece]) -> list[Piece]:
    """Returns the pieces with signs in place of the words for them, behind numbers in digits."""
    changed: list[Piece] = []
    at = 0
    while at < len(pieces):
        found, used = _amount_at(pieces[at : at + 5])
        changed += found
        at += used
    return changed


def _amount_at(pieces: Sequence[Piece]) -> tuple[list[Piece], int]:
    """Returns the first of some pieces, or the amount that begins there, and how many it takes."""
    number = pieces[0].core
    said = ["" if piece.hidden else piece.bare for piece in pieces]
    if len(pieces) < 2 or not _NUMBER.fullmatch(number) or pieces[0].lead or ends_here(pieces[0]):
        return [pieces[0]], 1
    if said[1] in _PERCENT:
        return [join(pieces[:2], f"{number}%", fixed=True)], 2
    if said[1] in SCALES and said[2:3] and said[2] in _SIGNS and not ends_here(pieces[1]):
        sign = _SIGNS[said[2]]
        return [pieces[0].says(f"{sign}{number}", fixed=True), join(pieces[1:3], said[1])], 3
    if said[1] not in _SIGNS:
        return [pieces[0]], 1
    sign, further = _SIGNS[said[1]], 3 if said[2:3] == ["and"] else 2
    cents = said[further : further + 2]
    whole = _WHOLE.fullmatch(number) and not any(map(ends_here, pieces[1 : further + 1]))
    if whole and len(cents) == 2 and _SMALL.fullmatch(cents[0]) and cents[1] in _CENTS:
        amount = f"{sign}{number}.{int(cents[0]):02}"
        return [join(pieces[: further + 2], amount, fixed=True)], further + 2
    return [join(pieces[:2], f"{sign}{number}", fixed=True)], 2
