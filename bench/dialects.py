"""What a second of audio costs the gateway in each dialect, beside the native one, in one run.

A few sessions speak at the pace of speech, first in one dialect, then in the next, round by round,
and the processor time that the gateway uses meanwhile is read from ``/proc``. Linux only.

Run with ``make bench-dialects``; ``ARGS="--sessions 4 --seconds 30 --rounds 5"`` for other numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uvloop
from websockets.asyncio.client import ClientConnection, connect

from scripta_local.stack import Stack
from speakers import CHUNK_SECONDS, sample_chunks

SETTLE_SECONDS = 2.0
APPEND = "input_audio_buffer.append"
RAW = "encoding=linear16&sample_rate=16000&interim_results=true"
UPDATE = {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}}


def as_event(chunk: bytes) -> str:
    """Returns audio as an event that carries it in base64."""
    return json.dumps({"type": APPEND, "audio": base64.b64encode(chunk).decode()})


@dataclass(frozen=True, slots=True)
class Way:
    """How a dialect is spoken.

    Attributes:
        address: Path and query.
        message: Returns the message of a chunk.
        first: What is sent before any audio.
    """

    address: str
    message: Callable[[bytes], str | bytes] = bytes
    first: tuple[str, ...] = ()


WAYS = {
    "native": Way(f"/ws?{RAW}"),
    "deepgram": Way(f"/v1/listen?{RAW}&smart_format=true"),
    "openai": Way(
        "/v1/realtime?intent=transcription",
        as_event,
        (json.dumps({"type": "session.update", "session": {"type": "transcription", **UPDATE}}),),
    ),
}


def used(pid: int) -> float:
    """Returns the seconds of processor time that the threads of a process have used."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


async def speak(client: ClientConnection, chunks: Sequence[str | bytes], first: int) -> None:
    """Sends chunks at the pace of speech until cancelled."""
    clock = asyncio.get_running_loop().time
    due, at = clock(), first
    while True:
        await client.send(chunks[at % len(chunks)])
        at, due = at + 1, due + CHUNK_SECONDS
        await asyncio.sleep(max(0.0, due - clock()))


async def measure(stack: Stack, way: Way, sessions: int, seconds: float) -> float:
    """Returns the gateway's processor seconds a second of audio."""
    assert stack.gateway is not None
    chunks = [way.message(chunk) for chunk in sample_chunks()]
    address = stack.url.replace("http", "ws", 1) + way.address
    clients = [await connect(address, proxy=None, compression=None) for _ in range(sessions)]
    for client in clients:
        for message in way.first:
            await client.send(message)
    speaking = [
        asyncio.create_task(speak(client, chunks, number * len(chunks) // sessions))
        for number, client in enumerate(clients)
    ]
    await asyncio.sleep(SETTLE_SECONDS)
    before = used(stack.gateway)
    await asyncio.sleep(seconds)
    spent = used(stack.gateway) - before
    for task in speaking:
        if task.done():
            raise SystemExit(f"A session was lost: {task.exception()}")
        task.cancel()
    for client in clients:
        client.transport.abort()
    return spent / (sessions * seconds)


async def bench(arguments: argparse.Namespace) -> None:
    """Prints the table."""
    costs: dict[str, list[float]] = {name: [] for name in WAYS}
    env = {"SLOTS": str(2 * arguments.sessions)}
    async with Stack(engine=arguments.engine, env=env) as stack:
        for number in range(arguments.rounds + 1):
            for name, way in WAYS.items():
                cost = await measure(stack, way, arguments.sessions, arguments.seconds)
                if number:  # the first round loads code
                    costs[name].append(cost)
    print(f"{arguments.sessions} sessions, {arguments.rounds} rounds of {arguments.seconds:g} s\n")
    print(f"{'':12}{'gateway ms a second':>22}{'of native':>12}   each round")
    for name, each in costs.items():
        ratios = [own / native for own, native in zip(each, costs["native"], strict=True)]
        rounds = " ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"{name:12}{median(each) * 1e3:22.2f}{median(ratios):12.2f}   {rounds}")


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="moonshine")
    parser.add_argument("--sessions", type=int, default=3, help="so few that all keep up")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each measure")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if not Path("/proc/self/task").exists():
        raise SystemExit("This needs /proc: run it on Linux.")
    uvloop.run(bench(arguments))


if __name__ == "__main__":
    main()
