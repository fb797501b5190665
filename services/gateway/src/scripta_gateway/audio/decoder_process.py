"""One decoder's process, as the event loop sees it: a step at a time, each with a deadline."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Final as Constant

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.confinement import cpu_seconds
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
_TURN_SECONDS: Constant = 0.1
"""A step that takes longer gives its turn to others; how it goes on is looked at as often."""
_SLOW_CPU_SECONDS: Constant = 0.05
"""Who computes for so long after its turn goes on in time that nobody else wants. A step that is
late because the machine is busy does not: it has hardly computed."""
_SEND_SECONDS: Constant = 20.0
"""Time to take a command, where a socket's buffer does not hold all of it: not on Linux."""
_END_SECONDS: Constant = 5.0
_PID_BYTES: Constant = 4
_RECV_BYTES: Constant = 128 * 1024


class DecoderLost(Exception):
    """The process ended without a word, or was ended.

    Attributes:
        late: Whether it took too long for a step.
        hungry: Whether it took memory that others need.
    """

    def __init__(self, *, late: bool = False, hungry: bool = False) -> None:
        super().__init__("deadline" if late else "memory" if hungry else "crash")
        self.late = late
        self.hungry = hungry


class _Wire:
    """The socket to a process, read whenever something comes.

    The loop watches it all the time, for watching it anew at each step costs more than the step.
    """

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None
        self._lost: DecoderLost | None = None
        self.closed = asyncio.Event()
        self._loop.add_reader(stream.fileno(), self._on_readable)

    async def send(self, data: bytes) -> None:
        """Sends bytes; in a moment, for the process reads while nothing else is asked of it."""
        if self._lost is not None:
            raise self._lost
        try:
            sent = self._stream.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            raise DecoderLost from None
        if sent < len(data):
            try:
                async with asyncio.timeout(_SEND_SECONDS):
                    await self._loop.sock_sendall(self._stream, data[sent:])
            except TimeoutError:
                raise DecoderLost(late=True) from None

    async def exactly(self, size: int) -> bytes:
        """Returns so many bytes; raises ``DecoderLost`` if they will not come."""
        if len(self._received) < size:
            if self._lost is not None:
                raise self._lost
            self._wanted, self._waiter = size, self._loop.create_future()
            await self._waiter
        data, self._received = self._received[:size], self._received[size:]
        return data

    def give_up(self, lost: DecoderLost) -> None:
        """Makes whoever waits, and waits later, get an error."""
        self._lost = lost
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(lost)

    def close(self) -> None:
        """Closes the socket."""
        self._loop.remove_reader(self._stream.fileno())
        self._stream.close()

    def _on_readable(self) -> None:
        try:
            part = self._stream.recv(_RECV_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            part = b""
        if not part:
            self._loop.remove_reader(self._stream.fileno())
            self.closed.set()
            self.give_up(self._lost or DecoderLost())
            return
        self._received = self._received + part if self._received else part
        waiter = self._waiter
        if waiter is not None and len(self._received) >= self._wanted and not waiter.done():
            waiter.set_result(None)


class _Late:
    """What is known of a step while it lasts."""

    def __init__(self, wire: _Wire, seconds: float) -> None:
        self.wire = wire
        self.seconds_left = seconds
        self.slowed = False
        self._cpu_before: float | None = None

    def computed(self, pid: int) -> float:
        """Returns the processor time that the process has used since this was first asked."""
        cpu = cpu_seconds(pid)
        if self._cpu_before is None:
            self._cpu_before = cpu
        return cpu - self._cpu_before


class DecoderProcess:
    """A decoder's process. Calls do not overlap; a cancelled one leaves nothing but ``close``."""

    def __init__(
        self, processes: DecoderProcesses, budget: StreamBudget, opening: Opening, seconds: float
    ) -> None:
        self._processes = processes
        self._budget = budget
        self._opening = opening
        self._seconds = seconds
        self._wire: _Wire | None = None
        self._pid = 0
        self._has_turn = False
        self._overdue: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int:
        """Its process id; 0 before it is born and once it is closed."""
        return self._pid

    def end_for_memory(self) -> None:
        """Ends the process: others need the memory that it takes."""
        if self._wire is not None:
            self._wire.give_up(DecoderLost(hungry=True))
            self._processes.kill(self._pid)

    async def open(self) -> None:
        """Starts the process.

        Raises:
            DecoderLost: It can not be.
        """
        for _ in range(2):  # a zygote may die with the order in its hands
            try:
                self._wire = _Wire(self._processes.fork())
                async with asyncio.timeout(_OPEN_SECONDS):
                    self._pid = int.from_bytes(await self._wire.exactly(_PID_BYTES), "little")
                self._processes.born(self._pid)
                self._budget.memory.enter(self)
                await self._send(self._wire, Command.OPEN, self._opening.packed())
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
        wire = self._wire
        if wire is None:
            raise DecoderLost
        # Waiting for a turn does not count: the step has not begun.
        await self._budget.turns.acquire()
        self._has_turn = True
        self._watch(_Late(wire, self._seconds))
        try:
            await self._send(wire, command, data)
            head = await wire.exactly(REPORT_HEAD.size)
            return Report.unpacked(head, await wire.exactly(body_bytes(head)))
        except (OSError, ValueError):
            raise DecoderLost from None
        finally:
            if self._overdue is not None:
                self._overdue.cancel()
            self._end_turn()

    async def close(self) -> None:
        """Ends the process, whatever it does, and waits until it is gone; may be called again."""
        self._budget.memory.leave(self)
        wire, self._wire = self._wire, None
        if wire is None:
            return
        if self._pid:
            self._processes.kill(self._pid)
        try:
            async with asyncio.timeout(_END_SECONDS):
                # Cancelled here, it has been told to end all the same.
                while self._pid and not wire.closed.is_set():
                    await wire.closed.wait()
        except TimeoutError:
            # It has been killed, and goes when the machine has time for it.
            logger.warning("decoder does not end")
        finally:
            if wire.closed.is_set():
                self._processes.gone(self._pid)
            wire.close()
            self._pid = 0

    def _watch(self, late: _Late) -> None:
        self._overdue = asyncio.get_running_loop().call_later(_TURN_SECONDS, self._look, late)

    def _look(self, late: _Late) -> None:
        """Looks at a step that is not done: others have their turn, and a greedy one goes on idle.

        At its deadline whoever waits for it gets an error, and ends it.
        """
        self._end_turn()
        late.seconds_left -= _TURN_SECONDS
        if late.seconds_left <= 0:
            late.wire.give_up(DecoderLost(late=True))
            return
        if not late.slowed and late.computed(self._pid) > _SLOW_CPU_SECONDS:
            self._processes.slow_down(self._pid)
            late.slowed = True
        self._watch(late)

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._budget.turns.release()

    async def _send(self, wire: _Wire, command: Command, data: bytes | memoryview) -> None:
        await wire.send(COMMAND_HEAD.pack(command, len(data)) + data)
