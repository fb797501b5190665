"""Writes the dashboards: ``python -m dashboards [FOLDER]``."""

from __future__ import annotations

import sys
from pathlib import Path

from . import gateway, overview, session_log, transcriber
from .grafana import to_json

IN_CHART = Path(__file__).parents[1] / "scripta/files/dashboards"
BOARDS = {
    "overview": overview.BOARD,
    "gateway": gateway.BOARD,
    "transcriber": transcriber.BOARD,
    "session-log": session_log.BOARD,
}


def main(folder: Path) -> None:
    """Writes all dashboards into a folder, one file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, board in BOARDS.items():
        (folder / f"{name}.json").write_text(to_json(board), "utf-8")


main(Path(sys.argv[1]) if len(sys.argv) > 1 else IN_CHART)
