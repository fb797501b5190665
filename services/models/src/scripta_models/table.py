"""Models of the catalogue, for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from scripta_models.catalogue import Catalogue, Entry
from scripta_models.errors import megabytes

_FEW: Final = 4
"""So many languages are named in the table; of more it says the number."""


def listed(catalogue: Catalogue) -> str:
    """Returns the table of all models."""
    rows = [("NAME", "ENGINE", "LANGUAGES", "SIZE", "LICENCE", "WHAT IT IS")]
    rows += [
        (
            entry.name,
            entry.engine,
            _languages(entry.languages),
            _size(entry),
            entry.licence,
            entry.title,
        )
        for entry in catalogue.models
    ]
    return table(rows)


def described(entry: Entry, folder: str) -> str:
    """Returns all that is known of a model.

    Args:
        entry: The model.
        folder: Where it is on this machine; empty if it is not.
    """
    lines = [
        ("name", entry.name),
        ("what it is", entry.title),
        ("engine", entry.engine + (f", kind {entry.kind}" if entry.kind else "")),
        ("licence", entry.licence),
        ("languages", " ".join(entry.languages)),
        ("size", _size(entry)),
        ("memory", f"{entry.memory_mb} MB" if entry.memory_mb else "not measured"),
        ("processor", _cost(entry)),
        *(("source", source.uri) for source in entry.sources),
        *(("file", f"{file.path}  {_sum(file.sha256)}") for file in entry.files),
        ("note", entry.note),
        ("here", folder or f"no; scripta models fetch {entry.name}"),
        ("serve it", f"ENGINE={entry.engine} MODEL={entry.name}, MODEL_DIR: the folder above it"),
    ]
    width = max(len(name) for name, _ in lines)
    return "".join(f"{name:{width}}  {text}\n" for name, text in lines if text)


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Returns rows under each other; the last column is as long as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[-1] = 0
    return "".join(_line(row, widths) for row in rows)


def _line(row: Iterable[str], widths: Iterable[int]) -> str:
    cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
    return "  ".join(cells).rstrip() + "\n"


def _languages(languages: Sequence[str]) -> str:
    return " ".join(languages) if len(languages) <= _FEW else f"{len(languages)} languages"


def _size(entry: Entry) -> str:
    return megabytes(entry.size) if entry.size else "not known"


def _cost(entry: Entry) -> str:
    if entry.cpu_seconds is None:
        return "not measured"
    return f"{entry.cpu_seconds} s for a second of speech"


def _sum(sha256: str | None) -> str:
    return f"sha256 {sha256}" if sha256 else "no checksum is known"
