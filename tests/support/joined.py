"""Slices of audio, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator


async def joined(slices: AsyncIterator[bytes]) -> bytes:
    """Returns all that an iterator yields, as one piece."""
    return b"".join([piece async for piece in slices])
