"""Twice as many live talkers as a transcriber has slots for, with default settings.

The transcriber finds by itself how many slots it has. As many talkers are admitted; the others are
refused in time and try again when they are told to, all the while. A talker is refused before the
upgrade (503), or at its first audio (``no_capacity``, close code 1013) if others spoke first.

One thread on one core, all else on the others. Linux only. Run with ``make bench-overload``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path

import picows
import uvloop
from prometheus_client.parser import text_string_to_metric_families

import bare
from deck import Choice, Piece, pieces
from interim_designs import Interims
from report import LEVEL_HEAD, Targets, level_row, milliseconds
from rig import Level, Rig, cores_for, quantile, rig
from scripta_gateway.settings import GatewaySettings
from talkers import Talker, Tally, connect, speak

ARRIVAL_SECONDS = 6.0
"""Time over which the talkers arrive."""
FIRST_WORDS_MS, FINALS_MS = 1000, 1500
LIVE_WAIT_SECONDS: float = GatewaySettings.model_fields["live_wait_seconds"].default


@dataclass(slots=True)
class Crowd:
    """Clients that want in.

    Attributes:
        inside: Those whose connection was accepted, for a while at least.
        turned_away: Those that were refused once or more, by number.
        early: Seconds from knocking to each refusal with 503.
        late: Seconds from knocking to each refusal at the first audio.
        odd: Other answers, and refusals that do not say when to come back.
    """

    inside: list[Talker] = field(default_factory=list)
    turned_away: set[int] = field(default_factory=set)
    early: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    @property
    def admitted(self) -> list[Talker]:
        """Those that were not refused."""
        return [talker for talker in self.inside if talker.refused is None]

    async def knock(self, number: int, url: str, deck: Iterator[Piece], tally: Tally) -> None:
        """Tries to be admitted until it is."""
        while True:
            began = time.perf_counter()
            try:
                talker = await connect(url, deck, tally)
            except picows.WSHandshakeError as error:
                self.turned_away.add(number)
                await asyncio.sleep(self._refused(error, time.perf_counter() - began))
                continue
            self.inside.append(talker)
            await talker.over.wait()
            if talker.refused is None:
                return
            self.turned_away.add(number)
            self.late.append(talker.refused - began)
            await asyncio.sleep(LIVE_WAIT_SECONDS)  # a close can not say when to come back

    def _refused(self, error: picows.WSHandshakeError, took: float) -> float:
        """Notes a refusal; returns how long to wait."""
        status = error.response.status if error.response else 0
        later = error.response.headers.get("Retry-After") if error.response else None
        if status == 503 and later is not None:
            self.early.append(took)
            return float(later)
        self.odd.append(f"{status}, Retry-After: {later}")
        return 1.0


def slots_of(system: Rig) -> int:
    """Returns how many slots the transcriber has given itself."""
    url = f"http://127.0.0.1:{system.stack.transcriber_ports[0]}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    (found,) = (each for each in families if each.name == "scripta_transcriber_slots")
    return int(found.samples[0].value)


async def storm(
    system: Rig, deck: list[Piece], offered: int, seconds: float
) -> tuple[Level, Crowd]:
    """Returns what the admitted see, from the first arrival on, while the others knock."""
    tally, crowd, said = Tally(), Crowd(), cycle(deck)
    url = system.stack.ws_url

    async def arrive(number: int) -> None:
        await asyncio.sleep(number * ARRIVAL_SECONDS / offered)
        await crowd.knock(number, url, said, tally)

    speaking = asyncio.create_task(speak(crowd.inside), name="speak")
    async with asyncio.TaskGroup() as group:
        knocking = [group.create_task(arrive(number)) for number in range(offered)]
        level = await system.watch(tally, 0, ARRIVAL_SECONDS + seconds)
        for task in knocking:
            task.cancel()
    speaking.cancel()
    admitted = crowd.admitted
    await system.end(admitted)
    return system.with_own(replace(level, sessions=len(admitted))), crowd


def refusals_row(how: str, took: list[float]) -> str:
    """Returns how many refusals there were of a kind, and how long they took."""
    times = f", {milliseconds(took, (0.5, 0.95, 1.0))} ms (p50 / p95 / max)" if took else ""
    return f"{len(took)} refusals {how}{times}"


async def bench(arguments: argparse.Namespace) -> int:
    """Prints what was found; returns the process's exit code."""
    limit = await bare.measure(Interims.SCRIPTA, cores_for(1))
    deck = pieces(Choice.READ, limit.dues)
    async with rig(1, slots=arguments.slots) as system:
        slots = await asyncio.to_thread(slots_of, system)
        print(f"{2 * slots} talkers, {slots} slots\n\n{LEVEL_HEAD}", flush=True)
        level, crowd = await storm(system, deck, 2 * slots, arguments.seconds)
    print(f"{level_row(level)}\n")
    print(refusals_row("with 503 before the upgrade", crowd.early))
    print(f"{refusals_row('at the first audio', crowd.late)}\n")
    return 0 if judged(level, crowd, slots) else 1


def judged(level: Level, crowd: Crowd, slots: int) -> bool:
    """Prints each figure beside its target; returns whether all were reached."""
    targets, tally = Targets(), level.tally
    first_words = 1000 * quantile(tally.first_words, 0.95)
    targets.at_most("first words p95 in ms", first_words, FIRST_WORDS_MS)
    targets.at_most("finals p95 in ms", 1000 * quantile(level.finals, 0.95), FINALS_MS)
    targets.at_least("admitted", level.sessions, slots)
    targets.at_most("admitted", level.sessions, slots)
    # Who was refused and got in later counts as refused, too.
    targets.at_least("refused", len(crowd.turned_away), slots)
    slowest = max(crowd.early + crowd.late, default=0.0)
    targets.at_most("slowest refusal in s", slowest, LIVE_WAIT_SECONDS)
    targets.at_most("other answers", len(crowd.odd), 0)
    targets.at_most("sessions lost", len(tally.lost), 0)
    targets.at_most("finals that differ", len(tally.differing), 0)
    return targets.reached


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, help="slots, instead of those that are measured")
    parser.add_argument("--seconds", type=float, default=90.0)
    if not Path("/proc/self/stat").exists():
        raise SystemExit("This needs /proc: run it on Linux.")
    sys.exit(uvloop.run(bench(parser.parse_args())))


if __name__ == "__main__":
    main()
