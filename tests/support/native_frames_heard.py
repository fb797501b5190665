"""What clients of the native dialect hear."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from websockets.exceptions import ConnectionClosed

MAX = 1_048_576
"""Bytes of a message that the gateway takes, unless it is set."""


async def hear(client: Any, count: int = 1, seconds: float = 10) -> list[dict[str, Any]]:
    """Receives so many frames."""
    async with asyncio.timeout(seconds):
        return [json.loads(await client.recv()) for _ in range(count)]


async def hear_all(client: Any, seconds: float = 10) -> list[dict[str, Any]]:
    """Receives frames until the connection is closed."""
    frames = []
    async with asyncio.timeout(seconds):
        while True:
            try:
                frames.append(json.loads(await client.recv()))
            except ConnectionClosed:
                return frames


def split(frames: list[dict[str, Any]]) -> tuple[list[int], list[dict[str, Any]]]:
    """Returns the sizes of the acknowledgements, and the transcripts."""
    return (
        [frame["size"] for frame in frames if frame["status"] == "received"],
        [frame for frame in frames if frame["status"] == "transcript"],
    )
