"""Words that a client says are probably spoken: names, products, terms of a trade. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from scripta_common.errors import BadRequest
from scripta_gateway.bounds import KEYTERM_CHARACTERS, KEYTERMS
from scripta_gateway.dialects.listed import check_listed
from scripta_gateway.dialects.told import Opened

_WEIGHT: Final = re.compile(r":-?\d+(\.\d+)?$")
_PARTED: Final = str.maketrans("\n;", ",,")


class BadTerms(BadRequest, ValueError):
    """Keyterms are too many, too long together, or no text."""


def keyterms(name: str, values: Iterable[str]) -> tuple[str, ...]:
    """Returns keyterms with single spaces, each once.

    Args:
        name: The option that they are given by.
        values: Its values.

    Raises:
        BadTerms: They can not be served.
    """
    found = _tidied(values)
    if len(found) > KEYTERMS:
        raise BadTerms(f"Bad value for {name}: at most {KEYTERMS} terms can be given")
    if sum(map(len, found)) > KEYTERM_CHARACTERS:
        raise BadTerms(
            f"Bad value for {name}: all terms together have at most {KEYTERM_CHARACTERS} characters"
        )
    try:
        check_listed(name, found)
    except BadRequest as error:
        raise BadTerms(str(error)) from None
    return found


def of_prompt(prompt: str, words: Iterable[str] = ()) -> tuple[str, ...]:
    """Returns the terms of a text and some more; those beyond the bounds are left out.

    Args:
        prompt: Terms with commas, semicolons or lines between them.
        words: More terms.
    """
    found: list[str] = []
    length = 0
    for term in _tidied((*listed_in(prompt), *words)):
        length += len(term)
        if len(found) == KEYTERMS or length > KEYTERM_CHARACTERS:
            break
        found.append(term)
    return tuple(found)


def unweighted(term: str) -> str:
    """Returns a term without the weight behind it: a term is preferred here, or it is not."""
    return _WEIGHT.sub("", term)


def listed_in(text: str) -> Sequence[str]:
    """Returns the terms of a text that parts them by commas, semicolons or lines."""
    return text.translate(_PARTED).split(",")


def unheeded(opened: Opened, query: object, *names: str) -> tuple[str, ...]:
    """Returns which of the options for keyterms were given, if the session's model takes none.

    Args:
        opened: How the session was opened; ``opened.keyterms`` is true if its model takes keyterms.
        query: The query parameters, with one attribute for each option.
        names: Names of the options that give keyterms.
    """
    return () if opened.keyterms else tuple(name for name in names if getattr(query, name))


def _tidied(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(term for each in values if (term := " ".join(each.split()))))
