"""What metrics and traces cost: processor time with them against without them.

Two systems do the same at the same time. One is as it is shipped; of the other's metrics every
observation is a call that does nothing (``unmeasured.py``), and it is never traced. Processor time
is read from ``/proc``: what else the machine does disturbs it less than a rate of messages, and it
is what capacity is made of. The ratio is that of all the time together; beside it stand the median
of the pairs and the middle half of them.

1. ``messages``: the mock engine, 1 KiB messages as fast as they are acknowledged: the most metrics
   for the least work. A message is an utterance there, so that traces, which have spans for each,
   are not in it.
2. ``speech``: sessions with the real engine at the pace of speech, metrics and every session traced
   to a collector: what is deployed.

The second system is started first in half of the pairs. With ``--control`` both are as shipped,
which says how far such ratios are from 1 by chance. Linux only. Run with ``make bench-telemetry``;
``ARGS="--pairs 20"`` for narrower figures.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import picows
import uvloop

from acks import Client, Count
from cost import used
from scripta_local.stack import Commands, Stack
from speakers import connect, sample_chunks, speak

UNMEASURED = Path(__file__).with_name("unmeasured.py")
SERVICES = ("gateway", "transcriber")


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor seconds of each service, and what was done with them (messages, or seconds)."""

    seconds: tuple[float, ...]
    done: float

    def per(self, place: int) -> float:
        """Returns what one cost."""
        return self.seconds[place] / self.done


def pids(stack: Stack) -> tuple[int, ...]:
    """Returns the processes that are measured."""
    (transcriber,) = stack.transcribers
    assert stack.gateway is not None
    assert transcriber is not None
    return stack.gateway, transcriber


def commands(*, measured: bool) -> Commands:
    """Returns what to run as the services."""
    if measured:
        return Commands()
    gateway, transcriber = (
        (sys.executable, str(UNMEASURED), f"scripta_{name}") for name in SERVICES
    )
    return Commands(gateway=gateway, transcriber=transcriber)


class Flood:
    """Clients of one system that send as fast as they are answered, while they are let."""

    def __init__(self, watched: Sequence[int], clients: Sequence[Client], count: Count) -> None:
        self._pids = watched
        self._clients = clients
        self._count = count

    @classmethod
    async def of(
        cls, stack: Stack, connections: int, watched: Sequence[int] | None = None
    ) -> Flood:
        """Returns connected clients that send nothing yet.

        Args:
            stack: The system.
            connections: How many.
            watched: Processes whose time counts; by default both services.
        """
        count, clients = Count(), []
        for _ in range(connections):
            _, client = await picows.ws_connect(lambda: _Still(count), stack.ws_url)
            clients.append(client)
        return cls(watched or pids(stack), clients, count)

    async def run(self, seconds: float) -> Spent:
        """Sends for so long; returns what it cost until all was answered."""
        before, done = [used(pid) for pid in self._pids], self._count.acknowledged
        for client in self._clients:
            client.running = True
            client.send()
        await asyncio.sleep(seconds)
        for client in self._clients:
            client.running = False
        async with asyncio.timeout(20):
            while any(client.waits or client.owed > 0 for client in self._clients):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        spent = [used(pid) - start for pid, start in zip(self._pids, before, strict=True)]
        return Spent(tuple(spent), self._count.acknowledged - done)


class _Still(Client):
    """A client that waits until it is told to send."""

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Takes the connection."""
        self._transport = transport
        self.running = False


async def measure_messages(
    variants: Sequence[bool], pairs: int, seconds: float, connections: int
) -> list[list[Spent]]:
    """Returns pairs: with and without metrics, as the variants say."""
    async with AsyncExitStack() as exits:
        floods = []
        for measured in variants:
            stack = Stack(engine="mock", restart=False, commands=commands(measured=measured))
            floods.append(await Flood.of(await exits.enter_async_context(stack), connections))
        for flood in floods:
            await flood.run(2.0)  # warm
        found = []
        for _ in range(pairs):
            found.append(await asyncio.gather(*(flood.run(seconds) for flood in floods)))
        return found


@asynccontextmanager
async def collector() -> AsyncIterator[str]:
    """Takes whatever is posted and forgets it; yields its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                length = 0
                while (line := await reader.readline()) not in (b"\r\n", b""):
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                await reader.readexactly(length)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def measure_speech(
    variants: Sequence[bool], pairs: int, seconds: float, sessions: int
) -> list[list[Spent]]:
    """Returns pairs: with metrics and traces, and without both, as the variants say."""
    async with AsyncExitStack() as exits:
        traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": await exits.enter_async_context(collector())}
        chunks, stacks, speakers = sample_chunks(), [], []
        for measured in variants:
            stack = Stack(
                env={"SLOTS": str(sessions), **(traced if measured else {})},
                restart=False,
                commands=commands(measured=measured),
            )
            stacks.append(await exits.enter_async_context(stack))
        for number in range(sessions):
            for stack in stacks:  # the same words at the same time
                place = number * len(chunks) // sessions
                speakers.append(await connect(stack.ws_url, chunks, place))
        speaking = asyncio.create_task(speak(speakers), name="speak")
        await asyncio.sleep(5.0)
        found = []
        for _ in range(pairs):
            before = [[used(pid) for pid in pids(stack)] for stack in stacks]
            await asyncio.sleep(seconds)
            after = [[used(pid) for pid in pids(stack)] for stack in stacks]
            spent = [
                tuple(end - start for start, end in zip(*both, strict=True))
                for both in zip(before, after, strict=True)
            ]
            found.append([Spent(each, sessions * seconds) for each in spent])
        speaking.cancel()
        for speaker in speakers:
            if speaker.lost:
                raise SystemExit(f"A session was lost: {speaker.lost}")
            speaker.leave()
        return found


async def both_ways(
    measure: Callable[[Sequence[bool], int], Awaitable[list[list[Spent]]]],
    variants: Sequence[bool],
    pairs: int,
) -> list[list[Spent]]:
    """Measures, then again with the other one started first: that alone may be worth a percent."""
    there = await measure(variants, pairs)
    back = await measure(variants[::-1], pairs)
    return [*there, *(pair[::-1] for pair in back)]


def report(title: str, unit: str, scale: float, pairs: Sequence[Sequence[Spent]]) -> None:
    """Prints what each service cost with and without, and the ratio of the two."""
    print(f"\n{title}, {len(pairs)} pairs; processor time, {unit}")
    print(f"{'':14}{'with':>9}{'without':>9}   with / without   median of pairs (middle half)")
    places = {name: (place,) for place, name in enumerate(SERVICES)}
    for name, chosen in {**places, "both": tuple(range(len(SERVICES)))}.items():
        costs = [[sum(each.per(p) for p in chosen) for each in pair] for pair in pairs]
        ratios = [on / off for on, off in costs if off]
        low, middle, high = statistics.quantiles(ratios, n=4)
        on, off = (
            sum(sum(each.seconds[p] for p in chosen) for each in half)
            / sum(each.done for each in half)
            for half in zip(*pairs, strict=True)
        )
        print(
            f"{name:14}{on * scale:9.1f}{off * scale:9.1f}{on / off:12.3f}"
            f"{middle:15.3f} ({low:.3f}-{high:.3f})",
            flush=True,
        )


async def bench(arguments: argparse.Namespace) -> None:
    """Measures what is asked for and prints it."""
    plan = ((True, arguments.control), arguments.pairs // 2)
    if arguments.of in ("messages", "all"):
        measure = partial(
            measure_messages, seconds=arguments.seconds, connections=arguments.connections
        )
        pairs = await both_ways(measure, *plan)
        title = f"Metrics alone, {arguments.connections} connections that flood the mock engine"
        report(title, "µs a message", 1e6, pairs)
    if arguments.of in ("speech", "all"):
        measure = partial(
            measure_speech, seconds=2 * arguments.seconds, sessions=arguments.sessions
        )
        pairs = await both_ways(measure, *plan)
        title = f"Metrics and traces, {arguments.sessions} sessions of speech with interims"
        report(title, "ms a second of audio", 1e3, pairs)


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--of", choices=["messages", "speech", "all"], default="all")
    parser.add_argument("--control", action="store_true", help="both as shipped")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a half; speech: twice that")
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--sessions", type=int, default=2)
    if not Path("/proc/self/stat").exists():
        raise SystemExit("This needs /proc: run it on Linux.")
    uvloop.run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
