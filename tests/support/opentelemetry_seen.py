"""Runs a service and writes down what of OpenTelemetry it imports, at once and in order.

Use: ``python opentelemetry_seen.py FILE MODULE``; one module a line.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType


class _Witness(MetaPathFinder):
    """Finds nothing; sees everything that is looked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if name.partition(".")[0] == "opentelemetry":
            with self._path.open("a", encoding="utf-8") as seen:
                seen.write(f"{name}\n")


if __name__ == "__main__":
    sys.meta_path.insert(0, _Witness(Path(sys.argv[1])))
    runpy.run_module(sys.argv[2], run_name="__main__", alter_sys=True)
