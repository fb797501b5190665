"""Options that may be given again and again, each with a text that comes back in results. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from scripta_common.errors import BadRequest
from scripta_gateway.bounds import LISTED_VALUES

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""What no text has, and what breaks some of the programs that store results."""


def check_listed(name: str, values: Sequence[str]) -> None:
    """Returns if the values of an option can be served.

    Raises:
        BadRequest: They are too many, or one is no text; it names the option.
    """
    if len(values) > LISTED_VALUES:
        raise BadRequest(f"Bad value for {name}: it is given more than {LISTED_VALUES} times")
    if any(map(_CONTROL.search, values)):
        raise BadRequest(f"Bad value for {name}: it has control characters")
