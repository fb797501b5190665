"""What runs a model, where the operator names the model alone: the catalogue says it."""

from __future__ import annotations

from scripta_models.catalogue import Entry, read_catalogue

DEFAULT = "moonshine"
"""What runs a model that the catalogue does not have."""

_IN_EVERY_IMAGE = "package:moonshine_voice/"


def engines_of(models: list[str]) -> list[tuple[str, str]]:
    """Returns the engine of each model, and the model as that engine is told of it.

    Args:
        models: Names of the catalogue, which are those of their folders, too; others are models
            of the default engine.
    """
    catalogue = read_catalogue()
    return [_engine_of(model, catalogue.find(model)) for model in models]


def _engine_of(model: str, entry: Entry | None) -> tuple[str, str]:
    if entry is None:
        return DEFAULT, model
    packaged = any(source.uri.startswith(_IN_EVERY_IMAGE) for source in entry.sources)
    return entry.engine, "" if packaged else model
