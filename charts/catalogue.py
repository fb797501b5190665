"""Writes what the chart has to know of the catalogue of models.

For each name it is what runs the model, how large it is, and whether every image has it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripta_models.catalogue import Entry, read_catalogue

TARGET = Path(__file__).parent / "scripta/files/models.json"
IN_THE_IMAGE = "package:moonshine_voice/"
"""What sources begin with whose package every image of a transcriber has."""

_MEGABYTE = 1_000_000


def text() -> str:
    """Returns the file, the same for the same catalogue."""
    known = {entry.name: _known(entry) for entry in read_catalogue().models}
    lines = [f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in sorted(known.items())]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _known(entry: Entry) -> dict[str, Any]:
    known: dict[str, Any] = {"engine": entry.engine}
    if entry.size:
        known["megabytes"] = -(-entry.size // _MEGABYTE)
    if any(source.uri.startswith(IN_THE_IMAGE) for source in entry.sources):
        known["carried"] = True
    if "en" in entry.languages:
        known["english"] = True
    return known


def main() -> None:
    """Writes the file."""
    TARGET.write_text(text())


if __name__ == "__main__":
    main()
