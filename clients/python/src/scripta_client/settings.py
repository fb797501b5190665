"""What the environment says; read nowhere else."""

from __future__ import annotations

import os

DEFAULT_URL = "ws://localhost:8000/ws"


def gateway_url() -> str:
    """Returns the gateway's address: ``SCRIPTA_URL``, or that of one on this machine."""
    return os.environ.get("SCRIPTA_URL") or DEFAULT_URL


def ca_file() -> str:
    """Returns the file of further authorities, ``SCRIPTA_CA_FILE``; empty for none."""
    return os.environ.get("SCRIPTA_CA_FILE") or ""


def gateway_key() -> str:
    """Returns the key of ``SCRIPTA_KEY``; empty for none."""
    return os.environ.get("SCRIPTA_KEY") or ""
