"""Unpacks the files of a model from an archive, and nothing that leads out of its folder."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Final

from scripta_models.errors import WrongUsage
from scripta_models.sums import is_path_inside

_MOST_BYTES: Final = 64 * 10**9
"""Of all files of an archive together: more is no model."""


def unpack(archive: Path, folder: Path, root: str, wanted: Collection[str]) -> list[str]:
    """Writes files of an archive into a folder.

    Args:
        archive: A tar archive, compressed or not.
        folder: Where the files go.
        root: Folder inside it that has them; empty to look at all, without a folder that holds
            everything.
        wanted: Their paths; none for all of them.

    Returns:
        The paths of those that were found.

    Raises:
        WrongUsage: It is no archive, or larger than a model can be.
        OSError: A file can not be written.
    """
    try:
        with tarfile.open(archive) as tar:
            members = [member for member in tar if member.isfile()]
            if sum(member.size for member in members) > _MOST_BYTES:
                raise WrongUsage(f"{archive.name} holds more than {_MOST_BYTES} bytes")
            top = root or _common_folder([member.name for member in members])
            found = {path: each for each in members if (path := _inside(each.name, top))}
            chosen = sorted(set(found) & set(wanted)) if wanted else sorted(found)
            for path in chosen:
                _write(tar, found[path], folder / path)
            return chosen
    except (tarfile.TarError, EOFError) as error:
        raise WrongUsage(f"{archive.name} is no archive that can be unpacked: {error}") from error


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    assert content is not None
    with content, path.open("wb") as file:
        shutil.copyfileobj(content, file, 1024 * 1024)


def _common_folder(names: list[str]) -> str:
    """Returns the folder that holds all files; empty if there is none."""
    tops = {PurePosixPath(name.removeprefix("./")).parts[0] for name in names}
    nested = all("/" in name.removeprefix("./") for name in names)
    return tops.pop() if len(tops) == 1 and nested else ""


def _inside(name: str, top: str) -> str:
    """Returns a file's path below the top folder; empty if it is not there, or hidden."""
    name = name.removeprefix("./")
    path = name.removeprefix(f"{top}/") if top else name
    if top and not name.startswith(f"{top}/"):
        return ""
    return path if is_path_inside(path) else ""
