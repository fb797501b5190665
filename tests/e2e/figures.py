"""What was measured on the way, for the end of the run."""

from __future__ import annotations


class Figures:
    """Lines in the order in which they came; what happens is shown at once as well."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, what: str, value: str) -> None:
        """Notes a figure."""
        self.lines.append(f"{what}: {value}")
