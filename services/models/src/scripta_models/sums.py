"""Lists of checksums as ``sha256sum`` writes and checks them, with comments. Pure.

Every model that was fetched has one in its folder: which files it has, and in a comment the
checksum of the archive from which they came, if they came from one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from scripta_models.errors import WrongUsage

NAME: Final = "SHA256SUMS"
"""The file's name in the folder of a model."""

_LINE: Final = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")
_ARCHIVE: Final = re.compile(r"# archive: ([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Sums:
    """Checksums of files.

    Attributes:
        files: The checksum of each file, by its path.
        archive: Checksum of the archive that has them; empty for none.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    archive: str = ""


def read_sums(text: str, name: str) -> Sums:
    """Returns the checksums in a text.

    Args:
        text: As ``sha256sum`` writes it; lines that begin with ``#`` are comments.
        name: Of the file, for messages.

    Raises:
        WrongUsage: A line is none of these.
    """
    files: dict[str, str] = {}
    archive = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _ARCHIVE.fullmatch(line.strip()):
            archive = found[1]
        elif line.strip() and not line.startswith("#"):
            path, checksum = _one(line, name, number)
            files[path] = checksum
    return Sums(files, archive)


def written(sums: Sums, source: str = "") -> str:
    """Returns the text of a list of checksums."""
    head = f"# source: {source}\n" if source else ""
    head += f"# archive: {sums.archive}\n" if sums.archive else ""
    return head + "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(sums.files.items()))


def is_path_inside(path: str) -> bool:
    """Returns whether a relative path stays in its folder, and hides nothing there."""
    return bool(path) and all(part and not part.startswith(".") for part in path.split("/"))


def _one(line: str, name: str, number: int) -> tuple[str, str]:
    found = _LINE.fullmatch(line.strip())
    if not found:
        raise WrongUsage(f"{name}, line {number}: it should be a checksum, two spaces and a path")
    path = found[2].removeprefix("./")
    if not is_path_inside(path):
        raise WrongUsage(f"{name}, line {number}: {path!r} is not a path in the model's folder")
    return path, found[1].lower()
