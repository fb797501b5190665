"""What a program has seen: one JSON object a line on standard output.

``at`` is the machine's monotonic clock, which the test that started the program reads too.
``message`` is what the vendor's client gave its user, dumped from its own object; ``interim`` and
``final`` are the text in it, found as users of that client find it.
"""

from __future__ import annotations

import json
import time
from typing import Any


def tell(event: str, **fields: Any) -> None:
    """Prints one event."""
    print(json.dumps({"event": event, "at": time.monotonic(), **fields}, default=str), flush=True)


def tell_error(error: BaseException, **fields: Any) -> None:
    """Prints an exception that the vendor's client has raised."""
    text = str(error) or repr(error)
    tell("error", kind=type(error).__name__, text=text[:500], **fields)
