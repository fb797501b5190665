"""Files that are on this machine: in a folder, or inside an installed package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from scripta_models.errors import NotFound, WrongUsage
from scripta_models.places import Place, Scheme

_READ_BYTES: Final = 1024 * 1024


def local_path(place: Place) -> Path | None:
    """Returns the path of a place on this machine; ``None`` if its package is not installed."""
    if place.scheme is Scheme.FILE:
        return Path(place.path)
    # The package is a carrier of files: it is located and never imported.
    spec = find_spec(place.root)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / place.path


def read_parts(places: Sequence[Place], start: int = 0) -> Iterator[bytes]:
    """Returns the bytes of files one after the other, from a given byte on.

    Raises:
        NotFound: One of them does not exist.
        WrongUsage: One of them can not be read.
    """
    for place in places:
        path = local_path(place)
        if path is None or not path.is_file():
            raise NotFound(str(place))
        size = path.stat().st_size
        if start >= size:
            start -= size
            continue
        try:
            with path.open("rb") as file:
                file.seek(start)
                start = 0
                while chunk := file.read(_READ_BYTES):
                    yield chunk
        except OSError as error:
            raise WrongUsage(f"{path} can not be read: {error.strerror}") from error
