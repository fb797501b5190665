"""One service of the stack: a child process and the port on which it says that it is ready."""

from __future__ import annotations

import asyncio
import signal

from scripta_local.errors import NotReady
from scripta_local.process import Child, describe_exit
from scripta_local.readiness import Probe, probe

_POLL_SECONDS = 0.05
_KILL_SECONDS = 5.0
_FIX = "LOG_LEVEL=DEBUG makes it say more."


class Service:
    """A child and where its ``/readyz`` is.

    Args:
        child: The supervised process.
        host: Address that it listens on.
        port: Port on which it says that it is ready.
        secured: Whether it speaks TLS there.

    Attributes:
        child: The supervised process.
    """

    def __init__(self, child: Child, host: str, port: int, *, secured: bool = False) -> None:
        self.child = child
        self._host = host
        self._port = port
        self._secured = secured
        self._was_ready = False

    async def wait_ready(self, seconds: float, *, restarts: bool) -> None:
        """Returns when it says that it is ready.

        Args:
            seconds: Longest time.
            restarts: Whether it is started again when it ends.

        Raises:
            NotReady: It ended for good or took too long; the error has its last lines.
        """
        last = Probe(0)
        try:
            async with asyncio.timeout(seconds):
                while not last.ready:
                    # Who dies before it was ever ready will do so again.
                    if not self.child.alive and not (restarts and self._was_ready):
                        raise self._died()
                    last = await probe(self._host, self._port, secured=self._secured)
                    if not last.ready:
                        await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise NotReady(
                f"{self.child.name} is not ready after {seconds:g} s: {last}.",
                detail=self.child.tail,
                fix=_FIX,
            ) from None
        self._was_ready = True

    async def send(self, number: int) -> None:
        """Sends it a signal; with SIGKILL, returns when it is gone."""
        self.child.kill(number)
        if number == signal.SIGKILL:
            async with asyncio.timeout(_KILL_SECONDS):
                await self.child.ended()

    def _died(self) -> NotReady:
        code = self.child.exit_code
        how = describe_exit(code) if code is not None else "ended"
        return NotReady(
            f"{self.child.name} {how} before it was ready. It said last:",
            detail=self.child.tail or ("(nothing)",),
            fix=_FIX,
        )
