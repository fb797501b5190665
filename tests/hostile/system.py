"""The system under attack: one gateway under a memory limit, one transcriber with the mock engine.

Each attack has one of its own, so that nothing is left to the next.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from written_console import WrittenConsole

from scripta_local.process import Backoff
from scripta_local.stack import Commands, Stack

from .memory import MemoryWatch

MEMORY_LIMIT: Final = 1 << 30
SLOTS: Final = 24


class Record(WrittenConsole):
    """Keeps what the gateway complained about, and how it ended.

    Attributes:
        errors: Messages that it logged at level ERROR.
        ends: How it ended, such as ``exited with code 0``.
        ended: Set once it has.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__(path)
        self.errors: list[str] = []
        self.ends: list[str] = []
        self.ended = asyncio.Event()

    def note(self, text: str = "") -> None:
        """Writes down what the supervisor says."""
        super().note(text)
        if text.startswith("gateway "):
            self.ends.append(text.removeprefix("gateway ").partition(";")[0])
            self.ended.set()

    def line(self, name: str, text: str) -> None:
        """Writes down what a service says."""
        super().line(name, text)
        if name != "gateway":
            return
        try:
            said = json.loads(text)
        except ValueError:
            if text.startswith("Traceback"):
                self.errors.append("a traceback outside the log")
            return
        if isinstance(said, dict) and said.get("level") == "error":
            self.errors.append(str(said.get("message")).partition("\n")[0])


class System:
    """A running system; an async context manager that is ready inside its block.

    Attributes:
        stack: The services; what dies is started again.
        record: What the gateway complained about.
        memory: What it holds.
    """

    def __init__(self, *, python: str = sys.executable, log: Path | None = None) -> None:
        self.record = Record(log)
        self.stack = Stack(
            engine="mock",
            restart=Backoff(first=0.2, longest=1.0),
            console=self.record,
            env={"LOG_FORMAT": "json", "THREADS": "1", "SLOTS": str(SLOTS)},
            commands=Commands(
                gateway=(python, "-m", "scripta_gateway"),
                transcriber=(python, "-m", "scripta_transcriber"),
            ),
        )
        self.memory = MemoryWatch(lambda: self.stack.gateway, MEMORY_LIMIT)
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as exits:
            exits.callback(self.record.close)
            await exits.enter_async_context(self.stack)
            watch = asyncio.create_task(self.memory.run(), name="memory")
            exits.callback(watch.cancel)
            self._exits = exits.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._exits.__aexit__(kind, error, trace)
