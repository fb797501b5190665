"""Profane English words keep their first letter only. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from scripta_gateway.text.pieces import Piece

_ANYWHERE: Final = re.compile(r"fuck|bitch|motherf|arsehole|asshole|cocksuck|dickhead|nigger")
"""What is in no harmless word."""
_ENDINGS: Final = r"t?(s|es|ed|er|ers|in|ing|y|ier|iest|head|heads|face|faced)?"
_WHOLE: Final = re.compile(
    rf"(bull|horse|dip|ape|bat|dog|chicken|jack)?shit(show|shows|storm|hole|holes|load|bag|e)?"
    rf"{_ENDINGS}|"
    r"(dumb|jack|bad|smart|fat|lard|hard|kick|half|wise|candy|lazy|bare)?ass(es|hat|wipe|ed)?|"
    rf"bastard{_ENDINGS}|cunt{_ENDINGS}|prick(s)?|twat{_ENDINGS}|wank{_ENDINGS}|bollock{_ENDINGS}|"
    rf"slut{_ENDINGS}|whor(e|es|ing|ish)|crap(py|s|ped|ping|per|pier)?|"
    rf"arse(s|d)?|piss(es|ed|ing|er|y|off)?|(god)?dam(n|ned|mit|nit|nedest)|tit(s|ties|ty)|"
    r"fag(s|got|gots|gy)?|nigga(s|z)?|puss(y|ies)|wtf|stfu|fk|fck(ing|ed|er)?"
)
_LETTERS: Final = str.maketrans("@$!10€3", "asiioee")
"""Letters as they are written to hide a word."""
_STARRED: Final = re.compile(r"[^\W\d_]+(?:\*{2,}\w*|\*[a-z]+)")
"""A word that an engine has masked in part."""
_POSSESSIVE: Final = re.compile(r"['’]s?$|s['’]$")
_PARTED: Final = re.compile(r"[-‐‑–—_.'’]")


def masked(piece: Piece) -> Piece:
    """Returns a piece with all but its first letter hidden, if it is profane."""
    if piece.fixed or not _is_profane(piece.core):
        return piece
    return piece.says(piece.core[:1] + "*" * (len(piece.core) - 1), fixed=True)


def _is_profane(core: str) -> bool:
    if core.isascii() and core.isalpha():
        return _is_listed(core.lower())
    if _STARRED.fullmatch(core):
        return True
    word = unicodedata.normalize("NFKC", core).casefold()
    word = _POSSESSIVE.sub("", word)
    spelled = word.translate(_LETTERS) if word[:1].isalpha() else word
    parts = [part for one in (word, spelled) for part in _PARTED.split(one)]
    whole = (_PARTED.sub("", word), _PARTED.sub("", spelled))
    return any(map(_is_listed, (*parts, *whole)))


def _is_listed(word: str) -> bool:
    return bool(_ANYWHERE.search(word) or _WHOLE.fullmatch(word))
