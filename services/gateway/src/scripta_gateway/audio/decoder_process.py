"""One decoder's process, as the event loop sees it: a step at a time, each with a deadline."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Final as Constant

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.processes import DecoderProcesses
from scripta_gateway.audio.steps import (
    COMMAND_HEAD,
    REPORT_HEAD,
    Command,
    Opening,
    Report,
    body_bytes,
)

logger = logging.getLogger(__name__)

_OPEN_SECONDS: Constant = 15.0
"""Time for a fork, and for the start of the zygote before it."""
_STEP_AT_ONCE_SECONDS: Constant = 0.25
"""A step that takes longer gives its turn to others and goes on in time that nobody wants."""
_END_SECONDS: Constant = 2.0
_PID_BYTES: Constant = 4
_RECV_BYTES: Constant = 128 * 1024


class DecoderLost(Exception):
    """The process ended without a word, or was ended.

    Attributes:
        late: Whether it took too long for a step.
    """

    def __init__(self, *, late: bool = False) -> None:
        super().__init__("deadline" if late else "crash")
        self.late = late


class DecoderProcess:
    """A decoder's process. Calls do not overlap; a cancelled one leaves nothing but ``close``."""

    def __init__(
        self, processes: DecoderProcesses, budget: StreamBudget, opening: Opening, seconds: float
    ) -> None:
        self._processes = processes
        self._budget = budget
        self._opening = opening
        self._seconds = seconds
        self._socket: socket.socket | None = None
        self._pid = 0
        self._received = b""

    async def open(self) -> None:
        """Has the process forked.

        Raises:
            DecoderLost: It can not be.
        """
        loop = asyncio.get_running_loop()
        for _ in range(2):  # a zygote may die with the order in its hands
            try:
                self._socket = self._processes.fork()
                async with asyncio.timeout(_OPEN_SECONDS):
                    self._pid = int.from_bytes(await self._exactly(loop, _PID_BYTES), "little")
                    self._processes.born(self._pid)
                    await self._send(loop, Command.OPEN, self._opening.packed())
            except TimeoutError:
                self._processes.restart()
                await self.close()
            except (OSError, DecoderLost) as problem:
                logger.warning("no decoder", extra={"reason": str(problem)})
                await self.close()
            else:
                return
        raise DecoderLost

    async def step(self, command: Command, data: bytes | memoryview = b"") -> Report:
        """Sends a command and returns its report.

        Raises:
            DecoderLost: The process crashed, or took too long and was ended.
        """
        # Waiting for a turn does not count: the step has not begun.
        await self._budget.turns.acquire()
        turn = _Turn(self._budget.turns)
        loop = asyncio.get_running_loop()
        slow = loop.call_later(_STEP_AT_ONCE_SECONDS, self._slow_down, turn)
        try:
            async with asyncio.timeout(self._seconds):
                await self._send(loop, command, data)
                head = await self._exactly(loop, REPORT_HEAD.size)
                return Report.unpacked(head, await self._exactly(loop, body_bytes(head)))
        except TimeoutError:
            raise DecoderLost(late=True) from None
        except (OSError, ValueError):
            raise DecoderLost from None
        finally:
            slow.cancel()
            turn.end()

    async def close(self) -> None:
        """Ends the process, whatever it does, and waits until it is gone; may be called again."""
        stream, self._socket = self._socket, None
        if stream is None:
            return
        if self._pid:
            self._processes.kill(self._pid)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_END_SECONDS):
                while self._pid and await loop.sock_recv(stream, _RECV_BYTES):
                    continue
        except TimeoutError:
            self._processes.restart()
            self._processes.kill(self._pid)
        except OSError:
            pass  # it has gone with something unread
        finally:
            stream.close()
            self._processes.gone(self._pid)
            self._pid = 0
            self._received = b""

    def _slow_down(self, turn: _Turn) -> None:
        self._processes.slow_down(self._pid)
        turn.end()

    async def _send(
        self, loop: asyncio.AbstractEventLoop, command: Command, data: bytes | memoryview
    ) -> None:
        await loop.sock_sendall(self._open_socket(), COMMAND_HEAD.pack(command, len(data)) + data)

    async def _exactly(self, loop: asyncio.AbstractEventLoop, size: int) -> bytes:
        while len(self._received) < size:
            part = await loop.sock_recv(self._open_socket(), _RECV_BYTES)
            if not part:
                raise DecoderLost
            self._received = self._received + part if self._received else part
        data, self._received = self._received[:size], self._received[size:]
        return data

    def _open_socket(self) -> socket.socket:
        if self._socket is None:
            raise DecoderLost
        return self._socket


class _Turn:
    """A step's right to compute; given back once."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns: asyncio.Semaphore | None = turns

    def end(self) -> None:
        if self._turns is not None:
            self._turns.release()
            self._turns = None
