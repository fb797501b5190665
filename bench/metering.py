"""What counting usage costs: processor time with it against without it.

Two systems do the same at the same time. One is as it is shipped; the other's transcriber counts
nothing (``unmetered.py``). Processor time of transcriber and broker is read from ``/proc``.

1. ``messages``: sessions that send 1 KiB messages as fast as they are acknowledged. Each is
   committed; usage is counted once a second for all.
2. ``sessions``: sessions of one message each, one after the other. Each is counted before its end
   and once more ten seconds later: the dearest that there is.

The second system is started first in half of the pairs. With ``--control`` both count. Linux only.
Run with ``make bench-metering``.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import uvloop
from websockets.asyncio.client import connect

from cost import used
from scripta_local.stack import Commands, Stack
from telemetry import Flood, Spent, both_ways

UNMETERED = Path(__file__).with_name("unmetered.py")
PROCESSES = ("transcriber", "broker")
_MESSAGE = bytes(1024)
_END = '{"type":"end"}'


def commands(*, metered: bool) -> Commands:
    """Returns what to run as the services."""
    return Commands() if metered else Commands(transcriber=(sys.executable, str(UNMETERED)))


def pids(stack: Stack) -> tuple[int, ...]:
    """Returns the processes that are measured."""
    (transcriber,) = stack.transcribers
    assert transcriber is not None
    assert stack.broker is not None
    return transcriber, stack.broker.pid


class Visitors:
    """Clients of one system, each with one session after the other."""

    def __init__(self, stack: Stack, clients: int) -> None:
        self._stack = stack
        self._clients = clients
        self._done = 0

    async def run(self, seconds: float) -> Spent:
        """Opens sessions for so long; returns what they cost."""
        self._done, before = 0, [used(pid) for pid in pids(self._stack)]
        give_up_at = asyncio.get_running_loop().time() + seconds
        await asyncio.gather(*(self._visit_until(give_up_at) for _ in range(self._clients)))
        spent = [used(pid) - start for pid, start in zip(pids(self._stack), before, strict=True)]
        return Spent(tuple(spent), self._done)

    async def _visit_until(self, give_up_at: float) -> None:
        while asyncio.get_running_loop().time() < give_up_at:
            async with connect(self._stack.ws_url, proxy=None, compression=None) as socket:
                await socket.send(_MESSAGE)
                await socket.send(_END)
                async for _ in socket:
                    pass
            self._done += 1


async def measure(
    variants: Sequence[bool], pairs: int, *, of: str, seconds: float, clients: int
) -> list[list[Spent]]:
    """Returns pairs: with counting and without, as the variants say."""
    async with AsyncExitStack() as exits:
        runs: list[Callable[[float], Awaitable[Spent]]] = []
        for metered in variants:
            stack = Stack(engine="mock", restart=False, commands=commands(metered=metered))
            await exits.enter_async_context(stack)
            if of == "messages":
                runs.append((await Flood.of(stack, clients, pids(stack))).run)
            else:
                runs.append(Visitors(stack, clients).run)
        await asyncio.gather(*(run(12.0) for run in runs))  # warm: ends are counted again, too
        return [await asyncio.gather(*(run(seconds) for run in runs)) for _ in range(pairs)]


def report(title: str, pairs: Sequence[Sequence[Spent]]) -> None:
    """Prints what each process cost with and without, and the ratio of the two."""
    print(f"\n{title}, {len(pairs)} pairs; processor time in µs")
    print(f"{'':14}{'with':>9}{'without':>9}   with / without   median of pairs (middle half)")
    for place, name in enumerate(PROCESSES):
        ratios = [on.per(place) / off.per(place) for on, off in pairs if off.seconds[place]]
        low, middle, high = statistics.quantiles(ratios, n=4)
        on, off = (
            sum(each.seconds[place] for each in half) / sum(each.done for each in half)
            for half in zip(*pairs, strict=True)
        )
        print(
            f"{name:14}{on * 1e6:9.1f}{off * 1e6:9.1f}{on / off:12.3f}"
            f"{middle:15.3f} ({low:.3f}-{high:.3f})",
            flush=True,
        )


async def bench(arguments: argparse.Namespace) -> None:
    """Measures both and prints them."""
    plan = ((True, arguments.control), arguments.pairs // 2)
    for of, unit in (("messages", "a message"), ("sessions", "a session of one message")):
        run = partial(measure, of=of, seconds=arguments.seconds, clients=arguments.clients)
        report(f"Usage counted, {unit}", await both_ways(run, *plan))


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--control", action="store_true", help="both count")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a half")
    parser.add_argument("--clients", type=int, default=10)
    if not Path("/proc/self/stat").exists():
        raise SystemExit("This needs /proc: run it on Linux.")
    uvloop.run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
