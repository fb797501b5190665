"""Figures as people read them; what is not known is a dash."""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = "–"
_DONE, _LEFT = "█", "░"
_MEBI: Final = 1024 * 1024


def whole(value: float | None) -> str:
    """Returns a count."""
    return UNKNOWN if value is None else f"{value:.0f}"


def rate(value: float | None) -> str:
    """Returns a number of something, such as events a second."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0"
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 0.95 else f"{value:.2f}"


def seconds(value: float | None, ceiling: float | None = None) -> str:
    """Returns a time with its unit; marked if it may be longer than that."""
    if value is None:
        return UNKNOWN
    if ceiling is not None and value >= ceiling:
        return f">{ceiling:g} s"
    if value < 0.00995:
        return f"{value * 1000:.1f} ms" if value else "0 ms"
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 9.995 else f"{value:.0f} s"


def memory(value: float | None) -> str:
    """Returns bytes in MiB."""
    if value is None:
        return UNKNOWN
    mebibytes = value / _MEBI
    return f"{mebibytes:.0f} MiB" if mebibytes >= 9.95 else f"{mebibytes:.1f} MiB"


def counted(things: dict[str, float] | None) -> str:
    """Returns how many there are of each, or that there are none."""
    if things is None:
        return UNKNOWN
    return ", ".join(f"{number:.0f} {name}" for name, number in things.items()) or "0"


def share(part: float | None, whole_of: float | None) -> str:
    """Returns how many of how many."""
    return f"{whole(part)}/{whole(whole_of)}"


def bar(part: float | None, whole_of: float | None, cells: int) -> str:
    """Returns a bar of how much of the whole is taken; empty if that is not known."""
    if part is None or whole_of is None:
        return ""
    taken = 1.0 if part >= whole_of and part else part / whole_of if whole_of else 0.0
    full = int(taken * cells)
    # What is not nothing is shown, and what is not all is not shown as all.
    full = max(full, 1) if taken else 0
    return _DONE * full + _LEFT * (cells - full)
