"""Reading a file that has a largest size, so that a wrong one does not fill the memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def read_bounded(path: Path, largest: int, make_error: Callable[[str], Exception]) -> bytes:
    """Returns the contents of a file.

    Args:
        path: The file; a link is followed, as a mounted Secret is one.
        largest: Bytes that it may have.
        make_error: Returns the error that is raised if it can not be read or is too large, given
            what is wrong.
    """
    try:
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise make_error(f"{path} can not be read: {error.strerror}") from None
    if len(data) > largest:
        raise make_error(f"{path} is larger than {largest} bytes")
    return data
