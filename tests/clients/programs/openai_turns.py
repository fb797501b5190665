"""Which turns of a realtime session are still without their words."""

from __future__ import annotations

import asyncio
from typing import Any

from report import tell

TRANSCRIPTION = "conversation.item.input_audio_transcription."


class Turns:
    """Knows which turns are still to be completed, and tells their texts."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.order: dict[str, int] = {}
        self.texts: dict[str, str] = {}
        self.asked = 0
        self.ended = 0
        self.over = False
        self._changed = asyncio.Event()

    def see(self, event: dict[str, Any]) -> None:
        """Takes an event of the server."""
        kind, item = event.get("type", ""), event.get("item_id", "")
        if kind in ("input_audio_buffer.speech_started", "input_audio_buffer.committed"):
            self.open.add(item)
            self.order.setdefault(item, len(self.order))
        elif kind == f"{TRANSCRIPTION}delta":
            self.texts[item] = self.texts.get(item, "") + (event.get("delta") or "")
            tell("interim", text=self.texts[item], item=item)
        elif kind == f"{TRANSCRIPTION}completed":
            deltas, order = self.texts.get(item, ""), self.order.get(item, 0)
            tell("final", text=event["transcript"], item=item, order=order, deltas=deltas)
        if kind in (f"{TRANSCRIPTION}completed", f"{TRANSCRIPTION}failed", "error"):
            self.open.discard(item)
            self.ended += 1
        self._changed.set()

    def start_again(self) -> None:
        """Learns of a new connection: what was open on the one before is never completed."""
        self.open.clear()
        self._changed.set()

    def close(self) -> None:
        """Learns that nothing more will come."""
        self.over = True
        self._changed.set()

    async def settled(self, quiet: float) -> None:
        """Waits until all turns have ended, and no new one begins for some seconds."""
        first = 10.0
        while not self.over:
            self._changed.clear()
            waits = self.open or self.ended < self.asked
            try:
                async with asyncio.timeout(None if waits else quiet if self.ended else first):
                    await self._changed.wait()
            except TimeoutError:
                return
