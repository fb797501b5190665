"""What is said of a span: its kind and its attributes. Pure, and nothing of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

Value = str | int | float | bool
Attributes = Mapping[str, Value]


class Kind(StrEnum):
    """What a span is to those before and behind it."""

    SERVER = "server"
    """Work that a client asked for."""
    CONSUMER = "consumer"
    """Work on what came by the log."""
    INTERNAL = "internal"
    """A part of either."""
