"""Faults of transcribers. The supervisor starts again what has died, as a cluster would."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from random import Random

from .faults import Injection
from .system import System

_PATIENCE = 30.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class WorkerKilled:
    """A transcriber that owns sessions is gone at once."""

    name: str = "transcriber SIGKILL"
    number: signal.Signals = signal.SIGKILL

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        place, hit = _victim(system, live, rng)
        await system.stack.kill_transcriber(place, self.number)
        return Injection(f"{self.number.name} to transcriber {place + 1}", hit)


@dataclass(frozen=True, slots=True)
class AllWorkersKilled:
    """All transcribers are gone at once; they come back as fast as they start."""

    name: str = "all transcribers SIGKILL"

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        await system.signal_all(signal.SIGKILL)
        return Injection("SIGKILL to all transcribers", live)


@dataclass(frozen=True, slots=True)
class WorkerFrozen:
    """A transcriber stands still until others have its sessions, and then goes on."""

    seconds: float = 4.0
    name: str = "transcriber SIGSTOP for 4 s"

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        place, hit = _victim(system, live, rng)
        await system.stack.kill_transcriber(place, signal.SIGSTOP)
        await asyncio.sleep(self.seconds)
        await system.stack.kill_transcriber(place, signal.SIGCONT)
        return Injection(f"SIGSTOP to transcriber {place + 1} for {self.seconds} s", hit)


@dataclass(frozen=True, slots=True)
class WorkerTerminated:
    """A transcriber is told to go, as in a scale-down, and hands its sessions off."""

    name: str = "transcriber SIGTERM"

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        place, hit = _victim(system, live, rng)
        await _terminate(system, place)
        return Injection(f"SIGTERM to transcriber {place + 1}", hit)


@dataclass(frozen=True, slots=True)
class RollingRestart:
    """Every transcriber in turn is told to go; the next follows when its successor is ready."""

    name: str = "rolling restart of all transcribers"

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        places = list(system.places)
        rng.shuffle(places)
        for place in places:
            await _terminate(system, place)
            async with asyncio.timeout(_PATIENCE):
                await system.stack.wait_ready()
        return Injection(f"SIGTERM to transcribers {[place + 1 for place in places]}", live)


@dataclass(frozen=True, slots=True)
class ScaledUp:
    """A transcriber comes to one that has all sessions, as in a scale-up, and gets some of them."""

    name: str = "scale-up under load"

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        place, _ = _victim(system, live, rng)
        await _terminate(system, place)
        before = system.record.moves
        async with asyncio.timeout(_PATIENCE):
            await system.stack.wait_ready()
            while system.record.moves == before:  # noqa: ASYNC110 - a count
                await asyncio.sleep(_POLL_SECONDS)
        return Injection(f"transcriber {place + 1} goes and comes", live)


@dataclass(frozen=True, slots=True)
class NoWorker:
    """No transcriber lives for a while: whichever comes back is killed again."""

    seconds: float = 5.0
    name: str = "no transcriber for 5 s"

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        clock = asyncio.get_running_loop().time
        over = clock() + self.seconds
        while clock() < over:
            await system.signal_all(signal.SIGKILL)
            await asyncio.sleep(_POLL_SECONDS)
        return Injection(f"SIGKILL to all transcribers for {self.seconds} s", live)


async def _terminate(system: System, place: int) -> None:
    await system.stack.kill_transcriber(place, signal.SIGTERM)
    async with asyncio.timeout(_PATIENCE):
        await system.stack.transcriber_gone(place)


def _victim(system: System, live: frozenset[str], rng: Random) -> tuple[int, frozenset[str]]:
    """Returns a transcriber, one that owns sessions if any does, and those that it owns."""
    running = [place for place in system.places if system.stack.transcribers[place] is not None]
    owning = [place for place in system.owning_places(live) if place in running]
    place = rng.choice(owning or running or list(system.places))
    return place, system.sessions_of(place) & live
