"""Runs the command: ``python -m scripta_client``."""

import sys

from scripta_client.cli import main

if __name__ == "__main__":
    sys.exit(main())
