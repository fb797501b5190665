"""The models that installed packages carry, and how a transcriber is told to serve one.

``MODEL`` without ``ENGINE`` names one of them. The default model is served beside it, and stays
the one of sessions that name neither a model nor another language.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scripta_local.errors import ModelMissing, UnknownModel

DEFAULT_ENGINE: Final = "moonshine"
FOLDER: Final = Path(sys.prefix) / "models"
"""Where models are put together: in the environment, whose packages carry them."""

KNOWN: Final = ("moonshine-tiny-en", "whisper-base")
"""What ``MODEL`` may name."""

_WAIT_SECONDS: Final = 60.0
"""For how long another process may put the same model together."""


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
    if model not in KNOWN:
        raise UnknownModel(model, KNOWN)
    put_together(model, FOLDER)
    return Serving(
        f"{DEFAULT_ENGINE},whisper",
        {"MODEL": f",{model}", "MODEL_DIR": str(FOLDER)},
        "ru, de, fr, es and about ninety others",
    )


def put_together(name: str, parent: Path) -> Path:
    """Returns the folder of a model whose files are in packages. Nothing is downloaded.

    Args:
        name: Its name in the catalogue.
        parent: Folder of all models.

    Raises:
        ModelMissing: A package is not installed, or what it holds is damaged.
    """
    # Who does not ask for a second model need not wait for an HTTP library to be loaded.
    from scripta_models.catalogue import read_catalogue
    from scripta_models.download import Download
    from scripta_models.errors import ModelsError
    from scripta_models.fetch import Fetch
    from scripta_models.progress import Progress
    from scripta_models.settings import Settings
    from scripta_models.wanted import Wanted
    from scripta_models.web import Web

    entry = read_catalogue().entry(name)
    carried = tuple(source for source in entry.sources if source.packages)
    progress, web = Progress(sys.stderr, name), Web(Settings(parent))
    try:
        fetch = Fetch(Download(name, web, progress), progress, _WAIT_SECONDS)
        return fetch.run(Wanted(name, entry.files, carried), parent)
    except ModelsError as error:
        raise ModelMissing(str(error)) from error
    finally:
        progress.close()
        web.close()
