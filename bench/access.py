"""What asking for keys costs: handshakes, sessions, wrong keys, and those who speak meanwhile.

One gateway lets everybody in, another asks for keys; of those, one has limits and one has none. All
are measured in turns in one run, by the processor time that a gateway uses (from ``/proc``, Linux
only). Then somebody tries wrong keys at the second gateway, while another client speaks there.

Run with ``make bench-access``; ``ARGS="--sessions 50 --rounds 40"`` for other numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median, quantiles

import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from scripta_gateway.access.keyfile import digest, parse
from scripta_gateway.access.keyring import Keyring
from scripta_local.stack import Stack

CHUNK = bytes(3200)
CHUNK_SECONDS = 0.1
PLAIN, LIMITED = (f"scripta_{secrets.token_urlsafe(32)}" for _ in range(2))
LIMITS = {"sessions": 1000, "sessions_a_minute": 1_000_000, "audio_seconds_a_day": 1e9}
AT_ONCE = 8
ATTACKERS = 40
"""Connections that try wrong keys; a connection may send 50 requests a second."""
TRIES = 15
"""Wrong keys of one address, fewer than are slowed."""
ADDRESSES = count(1)


@dataclass(frozen=True, slots=True)
class Way:
    """How the gateway is called.

    Attributes:
        gateway: Place of the gateway.
        key: Key that is shown.
    """

    gateway: int
    key: str | None


WAYS = {"open": Way(0, None), "key": Way(1, PLAIN), "key, limits": Way(1, LIMITED)}


def key_file() -> str:
    """Returns the text of the key file."""
    entries = [
        {"id": "plain", "tenant": "plain", "hash": digest(PLAIN)},
        {"id": "limited", "tenant": "limited", "hash": digest(LIMITED), "limits": LIMITS},
    ]
    return json.dumps({"keys": entries, "tenants": {"limited": {"limits": LIMITS}}})


def used(pid: int) -> float:
    """Returns the seconds of processor time that the threads of a process have used."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def headers(key: str | None) -> dict[str, str]:
    """Returns the headers that show a key."""
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def call(url: str, key: str | None) -> connect:
    """Returns a connection to come that shows a key."""
    return connect(url, proxy=None, compression=None, additional_headers=headers(key))


async def session(url: str, key: str | None, *, speaks: bool) -> None:
    """Opens a session and leaves it, or has a chunk transcribed before that."""
    async with call(url, key) as client:
        if speaks:
            await client.send(CHUNK)
            await client.send(json.dumps({"type": "end"}))
            with suppress(ConnectionClosed):
                while True:
                    await client.recv()


async def measure(stack: Stack, way: Way, count: int, *, speaks: bool) -> tuple[float, float]:
    """Returns the gateway's processor seconds a session, and sessions a second."""
    pid = stack.gateways[way.gateway]
    assert pid is not None
    url = f"ws://127.0.0.1:{stack.gateway_ports[way.gateway]}/ws"
    left = iter(range(count))

    async def caller() -> None:
        for _ in left:
            await session(url, way.key, speaks=speaks)

    before, began = used(pid), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    took = time.perf_counter() - began
    await asyncio.sleep(0.3)  # what is left to do for the last ones
    return (used(pid) - before) / count, count / took


async def compare(stack: Stack, arguments: argparse.Namespace, *, speaks: bool) -> None:
    """Prints a table of all ways, measured in turns."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for number in range(arguments.rounds + 1):
        order = [*WAYS][number % len(WAYS) :] + [*WAYS][: number % len(WAYS)]
        for name in order if number % 2 else reversed(order):
            figures = await measure(stack, WAYS[name], arguments.sessions, speaks=speaks)
            if number:  # the first round loads code
                found[name].append(figures)
    what = "sessions with one chunk" if speaks else "handshakes"
    print(f"\n{what}, {arguments.rounds} rounds of {arguments.sessions}\n")
    print(f"{'':12}{'gateway ms each':>18}{'a second':>12}{'of open':>10}   half of the rounds")
    for name, each in found.items():
        pairs = zip(each, found["open"], strict=True)
        low, middle, high = quantiles([own[0] / free[0] for own, free in pairs], n=4)
        cost, rate = (median(figures) for figures in zip(*each, strict=True))
        spread = f"{low:.2f} to {high:.2f}"
        print(f"{name:12}{cost * 1e3:18.2f}{rate:12.0f}{middle:10.2f}   {spread}")


async def acks(url: str, seconds: float) -> list[float]:
    """Returns the seconds until each chunk of somebody who speaks was accepted."""
    delays = []
    async with call(url, PLAIN) as client:
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            sent = time.perf_counter()
            await client.send(CHUNK)
            while json.loads(await client.recv())["status"] != "received":
                pass
            delays.append(time.perf_counter() - sent)
            await asyncio.sleep(max(0.0, CHUNK_SECONDS - delays[-1]))
    return delays


async def attack(port: int, rate: float, until: float) -> int:
    """Tries wrong keys until a time; returns how many were answered.

    Linux has all of 127.0.0.0/8 on loopback: each connection comes from another address, or it
    would soon be slowed.
    """
    answered = 0
    while time.monotonic() < until:
        here = f"127.1.{next(ADDRESSES) // 250 % 250}.{next(ADDRESSES) % 250 + 1}"
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(here, 0))
        with suppress(OSError, asyncio.IncompleteReadError):
            for _ in range(TRIES):
                due = time.monotonic() + ATTACKERS / rate
                wrong = secrets.token_urlsafe(32)
                shown = f"Authorization: Bearer {wrong}"
                head = f"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n{shown}\r\n\r\n"
                writer.write(head.encode())
                answer = await reader.readuntil(b"\r\n\r\n")
                size = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(size)
                answered += 1
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        writer.close()
    return answered


async def neighbour(stack: Stack, arguments: argparse.Namespace) -> None:
    """Prints what somebody who speaks notices of wrong keys."""
    port, pid = stack.gateway_ports[1], stack.gateways[1]
    assert pid is not None
    url = f"ws://127.0.0.1:{port}/ws"
    print(f"\none who speaks beside {arguments.attempts} wrong keys a second\n")
    print(f"{'':12}{'acks p50 ms':>14}{'p95 ms':>10}{'gateway %':>12}{'answered a second':>20}")
    for name, rate in 2 * (("calm", 0.0), ("attacked", float(arguments.attempts))):
        until = time.monotonic() + arguments.seconds
        before = used(pid)
        trying = [attack(port, rate, until) for _ in range(ATTACKERS)] if rate else []
        delays, *counts = await asyncio.gather(acks(url, arguments.seconds), *trying)
        p95 = quantiles(delays, n=20)[-1] * 1e3
        share = (used(pid) - before) / arguments.seconds * 100
        answered = sum(counts) / arguments.seconds
        print(f"{name:12}{median(delays) * 1e3:14.1f}{p95:10.1f}{share:12.1f}{answered:20.0f}")


def timing(rounds: int) -> None:
    """Prints how long wrong keys take to be found wrong, in turns."""
    ring = Keyring(parse(key_file().encode()))
    wrong: dict[str, Callable[[], str]] = {
        "at random": lambda: f"scripta_{secrets.token_urlsafe(32)}",
        "last letter": lambda: PLAIN[:-1] + secrets.choice("!#$%&"),
        "first letter": lambda: secrets.choice("!#$%&") + PLAIN[1:],
        "near hash": near_hash,
    }
    # Made beforehand: what makes a key would warm what is measured.
    keys = {name: [make() for _ in range(rounds)] for name, make in wrong.items()}
    took: dict[str, list[int]] = {name: [] for name in wrong}
    for number in range(rounds):
        for name, made in keys.items():
            began = time.perf_counter_ns()
            assert ring.find(made[number], 0.0) is None
            took[name].append(time.perf_counter_ns() - began)
    print(f"\nwrong keys, {rounds} of each kind in turns\n")
    print(f"{'':14}{'p25 ns':>8}{'p50 ns':>8}{'p75 ns':>8}")
    for name, each in took.items():
        print(f"{name:14}" + "".join(f"{at:8.0f}" for at in quantiles(each, n=4)))


def near_hash() -> str:
    """Returns a key whose hash begins with the same two letters as that of a good one."""
    wanted = hashlib.sha256(PLAIN.encode()).hexdigest()[:2]
    while True:
        key = f"scripta_{secrets.token_urlsafe(32)}"
        if hashlib.sha256(key.encode()).hexdigest()[:2] == wanted:
            return key


async def bench(arguments: argparse.Namespace, keys: Path) -> None:
    """Prints all tables."""
    timing(arguments.checks)
    async with Stack(engine="mock", env={"SLOTS": "200"}) as stack:
        await stack.add_gateway({"KEYS_FILE": str(keys)})
        await compare(stack, arguments, speaks=False)
        await compare(stack, arguments, speaks=True)
        await neighbour(stack, arguments)


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=100, help="in each measure")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.0, help="beside wrong keys")
    parser.add_argument("--attempts", type=int, default=1000, help="wrong keys a second")
    parser.add_argument("--checks", type=int, default=2000, help="of each kind of wrong key")
    arguments = parser.parse_args()
    if not Path("/proc/self/task").exists():
        raise SystemExit("This needs /proc: run it on Linux.")
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder, "keys.json")
        keys.write_text(key_file(), "utf-8")
        uvloop.run(bench(arguments, keys))


if __name__ == "__main__":
    main()
