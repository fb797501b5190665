"""What the gateway tells the zygote: a letter and a process id, five bytes."""

from __future__ import annotations

from typing import Final as Constant

FORK: Constant = b"F"
"""Fork a decoder; its stream's socket comes along."""
KILL: Constant = b"K"
"""End a decoder."""
SLOW: Constant = b"S"
"""Let a decoder compute only in time that nobody else wants."""
ORDER_BYTES: Constant = 5
