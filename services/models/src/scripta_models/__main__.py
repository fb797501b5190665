"""Runs the command: ``python -m scripta_models``."""

from __future__ import annotations

import sys

from scripta_models.command import main

if __name__ == "__main__":
    sys.exit(main())
