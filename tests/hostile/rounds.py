"""One round: neighbours talk calmly, then under an attack; what they and the attacker saw."""

from __future__ import annotations

import asyncio
import math
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .attack import Attack
from .attacker import Attacker
from .neighbours import Lateness, Neighbourhood
from .probes import Probes
from .streams import VOICES
from .system import System
from .told import Told

_CALM_SECONDS: Final = 3.0
_AFTER_SECONDS: Final = 1.5
_SETTLE_SECONDS: Final = 1.0
_EXIT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round showed; times are seconds.

    Attributes:
        attack: The attack.
        calm: Lateness of acknowledgements before it.
        attacked: Lateness from its beginning to the end of the round.
        worst: Lateness under attack by kind of neighbour.
        closed: Neighbours that were cut off, or not let in.
        refused: What neighbours were refused.
        livez: Longest time that ``/livez`` took; infinite if it failed.
        newcomer: Longest time until a new client was heard; NaN if none was.
        turned_away: Why new clients were not let in.
        ends: How the gateway ended, if it did.
        over_limit: Whether it was killed for its memory.
        peak: The most bytes that it and its children held.
        processes: The most processes that it had.
        errors: What it logged at level ERROR.
        told: What the attacker was told.
        own_delay: How late the suite itself was at most.
    """

    attack: Attack
    calm: Lateness
    attacked: Lateness
    worst: dict[str, float]
    closed: list[str]
    refused: list[str]
    livez: float
    newcomer: float
    turned_away: list[str]
    ends: list[str]
    over_limit: bool
    peak: int
    processes: int
    errors: list[str]
    told: Told
    own_delay: float


@dataclass(frozen=True, slots=True)
class Pace:
    """How long, and how hard, a round is.

    Attributes:
        seconds: Length of an attack that does not need longer.
        scale: Share of each attack's numbers.
        calm: Seconds of calm before it.
        seed: For whatever is random.
        python: The interpreter whose environment has the services: another one, for example, of
            the state before a change.
    """

    seconds: float = 8.0
    scale: float = 1.0
    calm: float = _CALM_SECONDS
    seed: int = 0
    python: str = sys.executable


async def play(attack: Attack, pace: Pace, log: Path | None = None) -> Outcome:
    """Plays one round on a system of its own."""
    async with System(python=pace.python, log=log) as system:
        return await _play(system, attack, pace)


async def _play(system: System, attack: Attack, pace: Pace) -> Outcome:
    seconds = max(pace.seconds, attack.seconds) if pace.scale >= 1 else pace.seconds
    attacker = Attacker(
        attack,
        port=system.stack.port,
        pid=system.stack.gateway or 0,
        seconds=seconds,
        scale=pace.scale,
        seed=pace.seed,
    )
    await attacker.prepare()
    length = _SETTLE_SECONDS + pace.calm + seconds + _EXIT_SECONDS
    neighbours = Neighbourhood(system.stack.ws_url, VOICES, length)
    probes = Probes(system.stack.port)
    try:
        async with neighbours:
            await asyncio.sleep(_SETTLE_SECONDS)
            neighbours.forget()
            await asyncio.sleep(pace.calm)
            looking_on = asyncio.create_task(probes.run(), name="probes")
            neighbours.attack_begins()
            told = await _attack(system, attack, attacker, seconds)
            if not attack.stops_gateway:
                await asyncio.sleep(_AFTER_SECONDS)
            looking_on.cancel()
            await asyncio.wait([looking_on])
            system.memory.look()
    finally:
        attacker.close()
    return _outcome(system, attack, neighbours, probes, told)


async def _attack(system: System, attack: Attack, attacker: Attacker, seconds: float) -> Told:
    if not attack.stops_gateway:
        return await attacker.attack()
    attacking = asyncio.create_task(attacker.attack(), name="attacker")
    await asyncio.sleep(seconds / 2)
    await system.stack.kill_gateway(signal.SIGTERM)
    try:
        async with asyncio.timeout(_EXIT_SECONDS):
            await system.record.ended.wait()
    except TimeoutError:
        system.record.ends.append(f"did not end in {_EXIT_SECONDS:g} s after SIGTERM")
    return await attacking


def _outcome(
    system: System, attack: Attack, neighbours: Neighbourhood, probes: Probes, told: Told
) -> Outcome:
    worst: dict[str, float] = {}
    for member in neighbours.members:
        most = member.attacked.percentile(1.0)
        if not math.isnan(most):
            worst[member.voice.name] = max(worst.get(member.voice.name, 0.0), most)
    return Outcome(
        attack=attack,
        calm=neighbours.calm,
        attacked=neighbours.attacked,
        worst=worst,
        closed=neighbours.closed,
        refused=neighbours.errors,
        livez=math.inf if probes.livez_failures else max(probes.livez, default=math.nan),
        newcomer=max(probes.newcomers, default=math.nan),
        turned_away=probes.turned_away,
        ends=list(system.record.ends),
        over_limit=system.memory.kills > 0,
        peak=system.memory.peak,
        processes=system.memory.most_processes,
        errors=list(system.record.errors),
        told=told,
        own_delay=probes.own_delay,
    )
