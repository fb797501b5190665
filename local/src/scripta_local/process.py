"""One supervised child process: its output, its restarts, its end.

A child runs in a session of its own, so that a Ctrl-C in the terminal reaches only the
supervisor, and the kernel kills it if the supervisor dies (Linux).
"""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripta_local.console import Console
from scripta_local.lifeline import die_with_parent

TAIL_LINES = 20
_LINE_BYTES = 65_536
_LAST_OUTPUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a child is started again, in seconds.

    Attributes:
        first: After the first end; doubled with each further one.
        longest: Never more than this.
        healthy: A child that lived so long starts counting anew.
    """

    first: float = 0.5
    longest: float = 15.0
    healthy: float = 20.0

    def failures(self, before: int, lived: float) -> int:
        """Returns how many ends in a row it is now, after a life of ``lived`` seconds."""
        return 1 if lived >= self.healthy else before + 1

    def delay(self, failures: int) -> float:
        """Returns the wait after so many ends in a row."""
        # The exponent is bounded too: a float overflows long before a crash loop tires.
        return min(self.longest, self.first * 2.0 ** min(failures - 1, 30))


def describe_exit(code: int) -> str:
    """Returns how a process ended, for a person."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


class Child:
    """A program that is kept running until it is stopped.

    Attributes:
        name: Its prefix in the joined log.
        exits: How often it ended by itself.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        console: Console,
        backoff: Backoff | None = None,
    ) -> None:
        """Starts nothing yet.

        Args:
            name: Prefix in the joined log.
            command: Program and arguments.
            env: Its whole environment.
            console: Where its lines go.
            backoff: When to start it again after it ended; ``None`` leaves it ended.
        """
        self.name = name
        self.exits = 0
        self._command = tuple(command)
        self._env = dict(env)
        self._console = console
        self._backoff = backoff
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._process: Process | None = None
        self._stopping = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def alive(self) -> bool:
        """Whether its process runs now."""
        return self._process is not None and self._process.returncode is None

    @property
    def exit_code(self) -> int | None:
        """How its last process ended (negative: by that signal), ``None`` while it runs."""
        return self._process.returncode if self._process is not None else None

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines it wrote."""
        return tuple(self._tail)

    async def start(self) -> None:
        """Starts it and its supervision; once only.

        Raises:
            OSError: The program can not be run.
        """
        process = await self._spawn()
        self._supervisor = asyncio.create_task(self._supervise(process), name=f"child-{self.name}")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Sends it a signal; supervision sees its end as it would any other."""
        if self._process is not None and self.alive:
            self._process.send_signal(number)

    async def ended(self) -> None:
        """Returns when the process that runs now has ended."""
        if self._process is not None:
            await self._process.wait()

    async def stop(self, grace: float) -> None:
        """Ends it for good: SIGTERM, then SIGKILL after ``grace`` seconds. May be repeated."""
        self._stopping.set()
        self.kill(signal.SIGTERM)
        self.kill(signal.SIGCONT)  # a frozen process takes no other signal
        if self._supervisor is None:
            return
        done, _ = await asyncio.wait([self._supervisor], timeout=grace)
        if not done:
            self._console.note(f"{self.name} did not stop within {grace:g} s: killing it.")
            self.kill(signal.SIGKILL)
        await self._supervisor

    async def _supervise(self, process: Process) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            code = await self._follow(process)
            if self._stopping.is_set():
                return
            self.exits += 1
            if self._backoff is None:
                self._console.note(f"{self.name} {describe_exit(code)}.")
                return
            failures = self._backoff.failures(failures, loop.time() - began)
            delay = self._backoff.delay(failures)
            self._console.note(
                f"{self.name} {describe_exit(code)}; starting it again in {delay:g} s."
            )
            if await self._stopped_within(delay):
                return
            process = await self._spawn()
            if self._stopping.is_set():
                self.kill(signal.SIGKILL)

    async def _spawn(self) -> Process:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._env,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
        return self._process

    async def _follow(self, process: Process) -> int:
        """Passes its lines on until it ends; returns its exit code."""
        reading = asyncio.create_task(self._read(process), name=f"output-{self.name}")
        code = await process.wait()
        # A grandchild may hold the pipe open for ever.
        await asyncio.wait([reading], timeout=_LAST_OUTPUT_SECONDS)
        reading.cancel()
        return code

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        rest = b""
        while data := await process.stdout.read(_LINE_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._say(line)
        if rest:
            self._say(rest)

    def _say(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        self._tail.append(text)
        self._console.line(self.name, text)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True
