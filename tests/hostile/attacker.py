"""An attacker in a process of its own: it must not take the neighbours' time in ours.

It prepares, says so with a line, waits for a line, attacks, and prints what it was told. It is the
first to wait when processors are short, because a real attacker has a machine of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Final

from .attack import ATTACKS, Attack, Target
from .told import Told

_NICE: Final = 10
_PREPARE_SECONDS: Final = 120.0
_OVERTIME_SECONDS: Final = 30.0
_FILES: Final = 8192
_TESTS: Final = Path(__file__).parents[1]


class Attacker:
    """The suite's side of an attacker's process.

    Args:
        attack: What it does.
        options: Its target, as ``Target`` has it.
    """

    def __init__(
        self, attack: Attack, *, port: int, pid: int, seconds: float, scale: float, seed: int
    ) -> None:
        self._seconds = seconds
        self._command = (
            *(sys.executable, "-m", "hostile.attacker", attack.key),
            *("--port", str(port), "--pid", str(pid), "--seconds", str(seconds)),
            *("--scale", str(scale), "--seed", str(seed)),
        )
        self._process: Process | None = None

    async def prepare(self) -> None:
        """Starts the process; returns when it is ready to attack."""
        self._process = process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            stdout=PIPE,
            env={**os.environ, "PYTHONPATH": str(_TESTS)},
        )
        assert process.stdout is not None
        async with asyncio.timeout(_PREPARE_SECONDS):
            line = await process.stdout.readline()
        assert line == b"ready\n", f"{self._command[3]} could not be prepared: {line!r}"

    async def attack(self) -> Told:
        """Lets it attack; returns what it was told."""
        process = self._process
        assert process is not None
        try:
            async with asyncio.timeout(self._seconds + _OVERTIME_SECONDS):
                out, _ = await process.communicate(b"go\n")
        except TimeoutError:
            told = Told()
            told.note("the attacker itself did not come to an end")
            return told
        finally:
            self.close()
        return Told.of_json(json.loads(out.splitlines()[-1]))

    def close(self) -> None:
        """Kills the process if it still runs."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()


def main() -> None:
    """Runs one attack; the command line says which."""
    from . import attacks  # noqa: F401 - they register themselves

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("key", choices=sorted(ATTACKS))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pid", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.nice(_NICE)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, hard), hard))
    chosen = ATTACKS[options.key]
    prepared = chosen.prepare() if chosen.prepare is not None else None
    print("ready", flush=True)
    sys.stdin.readline()
    target = Target(
        options.port, options.pid, options.seconds, options.scale, options.seed, prepared
    )
    asyncio.run(_attack(chosen, target))
    print(json.dumps(target.told.as_json()), flush=True)


async def _attack(chosen: Attack, target: Target) -> None:
    try:
        # An attack that waits for an answer which does not come ends all the same.
        async with asyncio.timeout(target.seconds + _OVERTIME_SECONDS / 2):
            await chosen.run(target)
    except TimeoutError:
        target.told.note("no answer until the end")
    except (OSError, ExceptionGroup) as error:
        target.told.ended(type(error).__name__)


if __name__ == "__main__":
    main()
