"""Names of what a client gave and nothing takes: the answer tells them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

HEADER: Final = "scripta-ignored"
"""Header of an answer, which has the names."""

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_MOST: Final = 32


def nameable(names: Iterable[str]) -> tuple[str, ...]:
    """Returns those of the names that can stand in a header, each once, and no more than 32.

    Whatever does not look like a name may be a secret that came to the wrong place.
    """
    return tuple(dict.fromkeys(name for name in names if _NAME.fullmatch(name)))[:_MOST]


def headers(names: Iterable[str]) -> dict[str, str]:
    """Returns the header that tells the names; none where there are none."""
    joined = ", ".join(names)
    return {HEADER: joined} if joined else {}
