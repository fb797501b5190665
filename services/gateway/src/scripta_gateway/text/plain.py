"""Plain text: lower case, and no punctuation. Pure.

Marks that are said are no punctuation: "C++", "-5", "@", "50%". Where they stand tells.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from scripta_gateway.text.pieces import Piece, share

_SAID: Final = frozenset("&@#%‰*§¶/\\_")
"""Marks that Unicode counts as punctuation."""
_ENDS: Final = frozenset(".,?!;:")
_NOTES: Final = frozenset("♩♪♫♬♭♯")
_BEFORE_DIGITS: Final = frozenset("-−–+.±'’")
"""What belongs to a number that it stands directly before."""
_WIDE_MARKS: Final = frozenset("。，、！？；：「」『』（）・…")
_ABBREVIATION: Final = re.compile(r"(\w\.)+\w")
_WITHIN: Final = re.compile(r"(?<=\w)(?:—|–(?!\d)|…|\.\.\.+|--+)(?=\w)")
"""Marks between words that stand there without spaces."""


def plain(piece: Piece) -> Sequence[Piece]:
    """Returns a piece as plain text; none if it is nothing but punctuation."""
    if (
        not piece.fixed
        and not piece.lead
        and _ENDS.issuperset(piece.trail)
        and piece.core.isalnum()
    ):
        return [Piece("", piece.core.lower(), "", piece.first, piece.after)]
    if piece.fixed and not piece.lead and not piece.trail:
        return [piece] if piece.core else []
    core = piece.core
    if not piece.fixed:
        core = core.lower() if any(map(str.isalnum, core)) else _signs(core)
        core = "".join(char for char in core if char not in _WIDE_MARKS)
    if core and not piece.hidden:
        if _ABBREVIATION.fullmatch(core) and piece.trail[:1] == ".":
            core += "."
        core = f"{_before(piece.lead, core)}{core}{_signs(piece.trail)}"
    words = [core] if piece.fixed else [word for word in _WITHIN.split(core) if word]
    bare = Piece("", "", "", piece.first, piece.after, piece.fixed, piece.hidden)
    if len(words) == 1:
        return [Piece("", words[0], "", bare.first, bare.after, bare.fixed, bare.hidden)]
    return share([bare], words, fixed=piece.fixed) if words else []


def plain_text(piece: Piece) -> str:
    """Returns a piece as plain text, in one."""
    return " ".join(one.core for one in plain(piece))


def _before(lead: str, core: str) -> str:
    """Returns what of the marks before a word belongs to it."""
    signs = _signs(lead)
    last = lead[-1:]
    if core[:1].isdigit() and last in _BEFORE_DIGITS and last and last not in signs:
        return signs + last
    if last == "." and lead[-2:-1] != "." and core[:1].isalnum():
        return signs + last
    return signs


def _signs(marks: str) -> str:
    return "".join(char for char in marks if _is_said(char))


def _is_said(char: str) -> bool:
    """Returns whether a mark is said, and so is no punctuation."""
    category = unicodedata.category(char)
    if category in ("Sc", "Sm", "So"):
        return char not in _NOTES
    return char in _SAID
