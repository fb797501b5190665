"""Whether anything grows: memory and keys after many sessions were opened, faulted and ended.

Runs sessions of the mock engine, some of them broken off by their clients, while transcribers are
handed off and killed and the broker's connections are reset every so often. Prints the resident
memory of each process after the first tenth and at the end, the sessions that did not get every
transcript, and the keys that the broker then holds without a time to live. Linux only, for
``/proc``.

Run with ``make bench-growth``; ``ARGS="--sessions 5000"`` for more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

import uvloop
from redis.asyncio import Redis
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from scripta_local.process import Backoff
from scripta_local.stack import Stack

TOGETHER = 20
MESSAGES = 40
FAULT_EVERY = 100


async def talk(url: str, number: int) -> bool:
    """Runs one session; returns whether every message had its transcript, in order."""
    sizes = [100 + (number + turn) % 1000 for turn in range(MESSAGES)]
    seen: list[int] = []
    async with connect(url, ping_interval=None) as socket:

        async def speak() -> None:
            for size in sizes:
                await socket.send(bytes(size))
                await asyncio.sleep(0.02)
            await socket.send('{"type":"end"}')

        speaking = asyncio.create_task(speak())
        try:
            async for message in socket:
                frame = json.loads(message)
                if frame["status"] == "transcript":
                    seen.append(int(frame["text"].rpartition("size: ")[2].split()[0]))
                    if number % 10 == 0 and len(seen) == MESSAGES // 2:
                        socket.transport.abort()  # every tenth client just goes
        except ConnectionClosed:
            pass
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
    return seen == sizes[: len(seen)] and (number % 10 == 0 or len(seen) == MESSAGES)


def resident(pid: int) -> int:
    """Returns a process's resident memory in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


async def fault(stack: Stack, redis: Redis, turn: int) -> None:
    """Does one of three things to the running system."""
    if turn % 3 == 0:
        await stack.kill_transcriber(0, signal.SIGKILL)
    elif turn % 3 == 1:
        await stack.kill_transcriber(0, signal.SIGTERM)
    else:
        await redis.client_kill_filter(_type="normal")


async def bench(sessions: int) -> int:
    """Prints what was found; returns the process's exit code."""
    incomplete = 0
    readings: list[dict[str, int]] = []
    backoff = Backoff(first=0.2, longest=1.0)
    # The second transcriber is spared the signals: its memory tells of leaks.
    async with Stack(transcribers=2, engine="mock", restart=backoff) as stack:
        redis = Redis.from_url(stack.redis_url)
        for first in range(0, sessions, TOGETHER):
            if first and first % FAULT_EVERY == 0:
                await fault(stack, redis, first // FAULT_EVERY)
            group = [talk(stack.ws_url, n) for n in range(first, first + TOGETHER)]
            incomplete += sum(not complete for complete in await asyncio.gather(*group))
            if first + TOGETHER in (sessions // 10, sessions):
                assert stack.broker is not None
                assert stack.broker.pid is not None
                assert stack.gateway is not None
                spared = stack.transcribers[1]
                assert spared is not None
                readings.append(
                    {
                        "gateway": resident(stack.gateway),
                        "transcriber": resident(spared),
                        "broker": resident(stack.broker.pid),
                    }
                )
        names = await redis.keys("*")
        lasting = [name for name in names if await redis.ttl(name) < 0]
        await redis.aclose()
    print(f"{'RSS in KiB':<14}{'after ' + str(sessions // 10):>14}{'after ' + str(sessions):>14}")
    for name in readings[0]:
        print(f"{name:<14}{readings[0][name]:>14}{readings[1][name]:>14}")
    print(f"sessions without every transcript: {incomplete} of {sessions}")
    print(f"keys: {len(names)}, without a time to live: {len(lasting)} {lasting[:5]}")
    return 1 if incomplete or lasting else 0


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=1000)
    sys.exit(uvloop.run(bench(parser.parse_args().sessions)))


if __name__ == "__main__":
    main()
