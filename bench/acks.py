"""Acknowledged chunks a second through the whole system with the mock engine.

For 20 and for 100 connections, each sending 1 KiB chunks as fast as they are acknowledged, in one
run and in turn: (a) the whole system (gateway, Valkey, transcriber, back to the socket; every
chunk must have its transcript), (b) the plain design that Scripta replaces (each chunk and each
result published on one broadcast channel that every connection filters), (c) a bare FastAPI echo.
The clients share the machine with the servers, so all three are measured under the same handicap.

Run with ``make bench-acks``; ``ARGS="--seconds 10 --rounds 5"`` for longer ones.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import picows
import uvloop

from scripta_local.broker import Broker
from scripta_local.ports import free_port
from scripta_local.stack import Stack

CHUNK = bytes(range(256)) * 4
HERE = Path(__file__).resolve().parent


class _Frame(msgspec.Struct):
    status: str


_decode = msgspec.json.Decoder(_Frame).decode


@dataclass(slots=True)
class Count:
    """What the clients of one measurement saw."""

    acknowledged: int = 0
    transcripts: int = 0
    errors: int = 0
    stopped_at: float = 0.0
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Client(picows.WSListener):  # type: ignore[misc]
    """Sends the next chunk whenever the last one was acknowledged."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._transport: picows.WSTransport | None = None
        self.owed = 0
        self.waits = False
        self.running = True

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Sends the first chunk."""
        self._transport = transport
        self.send()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Counts an acknowledgement or a transcript."""
        if frame.msg_type not in (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY):
            return
        status = _decode(frame.get_payload_as_memoryview()).status
        if status == "received":
            self._count.acknowledged += 1
            self.waits = False
            if self.running:
                self.send()
        elif status == "transcript":
            self._count.transcripts += 1
            self.owed -= 1
        else:
            self._count.errors += 1

    def send(self) -> None:
        """Sends one chunk."""
        assert self._transport is not None
        self.waits = True
        self.owed += 1
        self._transport.send(picows.WSMsgType.BINARY, CHUNK)

    def close(self) -> None:
        """Closes the connection."""
        if self._transport is not None:
            self._transport.disconnect()


async def measure(url: str, connections: int, seconds: float, wants_transcripts: bool) -> Count:
    """Returns what ``connections`` clients saw in about ``seconds``."""
    count = Count()
    clients: list[Client] = []
    for _ in range(connections):
        _, client = await picows.ws_connect(lambda: Client(count), url)
        clients.append(client)
    await asyncio.sleep(min(1.0, seconds / 4))  # past the connecting
    begin, before = time.perf_counter(), count.acknowledged
    await asyncio.sleep(seconds)
    rate = (count.acknowledged - before) / (time.perf_counter() - begin)
    for client in clients:
        client.running = False
    give_up = time.perf_counter() + 20
    while any(c.waits or (wants_transcripts and c.owed > 0) for c in clients):
        if time.perf_counter() > give_up:
            break
        await asyncio.sleep(0.02)
    for client in clients:
        client.close()
    count.stopped_at = rate
    return count


@asynccontextmanager
async def system() -> AsyncIterator[str]:
    """Runs the whole system with the mock engine; yields the URL to measure."""
    async with Stack(engine="mock", restart=False) as stack:
        yield stack.ws_url


@asynccontextmanager
async def plain(kind: str) -> AsyncIterator[str]:
    """Runs one of the designs in ``acks_baselines.py``; yields the URL to measure."""
    broker = Broker()
    broker.start()
    port = free_port()
    env = {**os.environ, "REDIS_URL": broker.url, "PORT": str(port)}
    children = [
        await _start([sys.executable, str(HERE / "acks_baselines.py"), part], env)
        for part in (["echo"] if kind == "echo" else ["gateway", "transcriber"])
    ]
    try:
        await _until_listening(port)
        yield f"ws://127.0.0.1:{port}/ws"
    finally:
        for child in children:
            child.terminate()
            await child.wait()
        broker.close()


async def _start(command: list[str], env: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(*command, env=env)


async def _until_listening(port: int) -> None:
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await asyncio.sleep(0.5)  # its subscriptions
            return
    raise SystemExit(f"nothing listens on port {port}")


Runner = Callable[[], AbstractAsyncContextManager[str]]


async def bench(rounds: int, seconds: float, sizes: list[int]) -> int:
    """Prints the table; returns the process's exit code."""
    designs: dict[str, tuple[Runner, bool]] = {
        "scripta": (system, True),
        "broadcast": (lambda: plain("broadcast"), False),
        "echo": (lambda: plain("echo"), False),
    }
    rates: dict[tuple[str, int], list[float]] = {}
    missing = 0
    for _ in range(rounds):
        for name, (run, complete) in designs.items():
            for size in sizes:
                async with run() as url:
                    count = await measure(url, size, seconds, complete)
                rates.setdefault((name, size), []).append(count.stopped_at)
                if complete:
                    missing += count.acknowledged - count.transcripts + count.errors
    print(f"{'acks/s':<12}" + "".join(f"{size:>5} connections (min-max)   " for size in sizes))
    for name in designs:
        cells = [rates[name, size] for size in sizes]
        print(
            f"{name:<12}"
            + "".join(
                f"{statistics.median(cell):>9.0f} ({min(cell):.0f}-{max(cell):.0f})".ljust(31)
                for cell in cells
            )
        )
    for size in sizes:
        for other in ("broadcast", "echo"):
            ratios = [
                a / b for a, b in zip(rates["scripta", size], rates[other, size], strict=True)
            ]
            print(
                f"{size} connections: scripta / {other} = {statistics.median(ratios):.2f} "
                f"({min(ratios):.2f}-{max(ratios):.2f})"
            )
    few, many = rates["scripta", sizes[0]], rates["scripta", sizes[-1]]
    print(
        f"{sizes[-1]} against {sizes[0]} connections: "
        f"{statistics.median(many) / statistics.median(few):.2f}"
    )
    print(f"acknowledged chunks without a transcript, or refused: {missing}")
    return 1 if missing else 0


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, nargs="+", default=[20, 100])
    arguments = parser.parse_args()
    sys.exit(uvloop.run(bench(arguments.rounds, arguments.seconds, arguments.connections)))


if __name__ == "__main__":
    main()
