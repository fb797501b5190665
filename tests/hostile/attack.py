"""What an attack is, and how a family of attacks registers one.

To add a case, write an async function in a module of ``attacks`` and decorate it::

    @attack()
    async def many_commas(target: Target) -> None:
        \"\"\"Sends a text of a million commas.\"\"\"
        async with Line(target) as line:
            if await line.shake():
                await line.send(text("," * target.count(1_000_000)))
                await line.listen(target.seconds)

The function's name is the name of the case, the first line of its docstring the text in the table.
It runs in a process of its own (``attacker``) and may do whatever a client can do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .told import Told

Run = Callable[["Target"], Awaitable[None]]


class Answer(StrEnum):
    """What an attacker has to hear."""

    REASON = "reason"
    """An error, or a close, that says why."""
    SERVICE = "service"
    """Nothing in particular: what it does is legal, and serving it at a bounded pace is right."""
    CLOSE = "close"
    """At least the end of its connection: it never said enough to be told anything."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack.

    Attributes:
        key: Its name on the command line.
        what: What the client does, for the table.
        run: Does it.
        prepare: Makes what the attack needs before it begins, such as a large file.
        answer: What the attacker has to hear.
        seconds: How long it takes at least; ``--seconds`` if that is longer.
        fills_slots: Whether it speaks in so many sessions that newcomers may be refused.
        stops_gateway: Whether the gateway gets SIGTERM during it, and has to stop in order.
    """

    key: str
    what: str
    run: Run
    prepare: Callable[[], Any] | None = None
    answer: Answer = Answer.REASON
    seconds: float = 0.0
    fills_slots: bool = False
    stops_gateway: bool = False


ATTACKS: dict[str, Attack] = {}
"""All attacks by their names, in the order of the modules and of the functions in them."""


@dataclass(slots=True)
class Target:
    """What an attack runs against.

    Attributes:
        port: Port of the gateway.
        pid: Process id of the gateway.
        seconds: How long the attack lasts.
        scale: Share of the attack's numbers: less than 1 in the short version.
        seed: For whatever is random.
        prepared: What ``prepare`` made.
        told: What the attacker was told so far.
    """

    port: int
    pid: int
    seconds: float
    scale: float = 1.0
    seed: int = 0
    prepared: Any = None
    told: Told = field(default_factory=Told)
    _end: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """Seconds until the attack is over, never less than 0."""
        return max(0.0, self._end - time.monotonic())

    def count(self, number: int) -> int:
        """Returns a number of the attack, made smaller in the short version."""
        return max(1, round(number * self.scale))

    async def side_by_side(self, one: Callable[[], Awaitable[None]], count: int) -> None:
        """Runs one client's part of the attack so many times at once."""
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(_swallow_errors(one))


async def _swallow_errors(one: Callable[[], Awaitable[None]]) -> None:
    with suppress(OSError):  # what the attacker was told is noted by its line
        await one()


def attack(
    *,
    prepare: Callable[[], Any] | None = None,
    answer: Answer = Answer.REASON,
    seconds: float = 0.0,
    fills_slots: bool = False,
    stops_gateway: bool = False,
) -> Callable[[Run], Run]:
    """Registers an attack under the name of the function; see ``Attack``."""

    def register(run: Run) -> Run:
        key = getattr(run, "__name__", "")
        assert key not in ATTACKS, f"two attacks are called {key}"
        assert run.__doc__, f"{key} has no docstring that says what it does"
        ATTACKS[key] = Attack(
            key=key,
            what=run.__doc__.strip().splitlines()[0].rstrip("."),
            run=run,
            prepare=prepare,
            answer=answer,
            seconds=seconds,
            fills_slots=fills_slots,
            stops_gateway=stops_gateway,
        )
        return run

    return register
