"""Faults of the gateway."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from random import Random

from .faults import Injection
from .system import System


@dataclass(frozen=True, slots=True)
class GatewayFrozen:
    """The gateway stands still for a while, as under a processor limit, and then goes on."""

    seconds: float = 3.0

    @property
    def name(self) -> str:
        return f"gateway SIGSTOP for {self.seconds:g} s"

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        await system.stack.kill_gateway(signal.SIGSTOP)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            await system.stack.kill_gateway(signal.SIGCONT)
        return Injection(f"SIGSTOP to the gateway for {self.seconds} s", live)


@dataclass(frozen=True, slots=True)
class GatewayGone:
    """The gateway dies, or is told to go; a supervisor starts another on the same address."""

    name: str = "gateway SIGKILL"
    number: int = signal.SIGKILL

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        await system.stack.kill_gateway(self.number)
        return Injection(f"{signal.Signals(self.number).name} to the gateway", live)
