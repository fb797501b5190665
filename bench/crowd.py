"""Many talkers on one gateway, live, with the mock engine: acknowledgements and processor time.

Every talker sends 100 ms of audio every 100 ms, whatever comes back, as microphones do. An
acknowledgement is timed from the moment at which its message was due, so that a client which falls
behind shows as late, too. Printed are the times of the acknowledgements and, of each process, the
share of a core that it used and, behind the plus sign, the share of the time for which it waited
for one. A process whose two figures come to 1 is what limits the crowd: by itself if it hardly
waited, else the machine is too small, or busy with something else.

Run with ``make bench-crowd``; ``ARGS="--talkers 100 200 400 --seconds 20"`` for other crowds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import picows
import uvloop

from rig import quantile
from scripta_local.stack import Stack

CHUNK = bytes(range(256)) * 12 + bytes(128)
CHUNK_SECONDS = 0.1
SETTLE_SECONDS = 4.0
LATE = 0.25


class _Frame(msgspec.Struct):
    status: str


_decode = msgspec.json.Decoder(_Frame).decode


@dataclass(slots=True)
class Tally:
    """What the talkers of one measurement saw.

    Attributes:
        since: Messages that were due before this time do not count.
        acks: Seconds from the moment that a message was due to its acknowledgement.
        waiting: Messages that are not acknowledged.
        finals: Transcripts.
        others: Frames of other kinds: errors.
    """

    since: float = float("inf")
    acks: list[float] = field(default_factory=list)
    waiting: int = 0
    finals: int = 0
    others: int = 0


class Talker(picows.WSListener):  # type: ignore[misc]
    """Speaks for as long as it is open."""

    def __init__(self, tally: Tally, chunk_seconds: float = CHUNK_SECONDS) -> None:
        self._tally = tally
        self._seconds = chunk_seconds
        self._chunk = CHUNK[: int(chunk_seconds * 32_000)]
        self._loop = asyncio.get_running_loop()
        self._transport: picows.WSTransport | None = None
        self._unanswered: deque[float] = deque()
        self._due = 0.0

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Begins to speak."""
        self._transport = transport
        self._due = self._loop.time()
        self._speak()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Counts what comes."""
        if frame.msg_type not in (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY):
            return
        status = _decode(frame.get_payload_as_memoryview()).status
        if status == "received":
            due = self._unanswered.popleft()
            self._tally.waiting -= 1
            if due >= self._tally.since:
                self._tally.acks.append(self._loop.time() - due)
        elif status == "transcript":
            self._tally.finals += 1
        else:
            self._tally.others += 1

    def close(self) -> None:
        """Falls silent."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.disconnect()

    def _speak(self) -> None:
        if self._transport is None:
            return
        self._unanswered.append(self._due)
        self._tally.waiting += 1
        self._transport.send(picows.WSMsgType.BINARY, self._chunk)
        self._due += self._seconds
        self._loop.call_at(self._due, self._speak)


def processes(stack: Stack) -> Mapping[str, int]:
    """Returns the process ids of a system with one transcriber, and of its clients."""
    assert stack.gateway is not None
    assert stack.broker is not None
    assert stack.broker.pid is not None
    (transcriber,) = stack.transcribers
    assert transcriber is not None
    return {
        "gateway": stack.gateway,
        "transcriber": transcriber,
        "broker": stack.broker.pid,
        "clients": os.getpid(),
    }


def scheduled(pid: int) -> tuple[float, float]:
    """Returns the seconds for which a process has run, and waited for a core, in all threads."""
    ran = waited = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        run, wait, _ = (thread / "schedstat").read_text().split()
        ran, waited = ran + int(run), waited + int(wait)
    return ran / 1e9, waited / 1e9


async def connect(stack: Stack, tally: Tally) -> Talker:
    """Returns a talker, however often it is sent away first: that is what overload is like."""
    while True:
        try:
            _, talker = await picows.ws_connect(lambda: Talker(tally), stack.ws_url)
        except picows.WSInvalidStatusError:
            await asyncio.sleep(0.2)
        else:
            return talker


async def crowd(stack: Stack, talkers: int, seconds: float) -> Tally:
    """Prints what so many talkers saw and what they cost; returns their tally."""
    tally = Tally()
    clients: list[Talker] = []
    for number in range(talkers):
        clients.append(await connect(stack, tally))
        # Their turns spread over the tenth of a second, as nobody agrees on when to speak.
        await asyncio.sleep(CHUNK_SECONDS * 0.7 if number % 20 == 0 else 0.003)
    await asyncio.sleep(SETTLE_SECONDS)
    pids = processes(stack)
    before = {name: scheduled(pid) for name, pid in pids.items()}
    tally.since = began = asyncio.get_running_loop().time()
    await asyncio.sleep(seconds)
    passed = asyncio.get_running_loop().time() - began
    shares = {
        name: [(now - was) / passed for now, was in zip(scheduled(pid), before[name], strict=True)]
        for name, pid in pids.items()
    }
    waiting, finals = tally.waiting, tally.finals
    for client in clients:
        client.close()
    late = sum(ack > LATE for ack in tally.acks) / max(1, len(tally.acks))
    print(
        f"{talkers:>7} {len(tally.acks) / passed:>8.0f}"
        + "".join(f" {1000 * quantile(tally.acks, share):>7.0f}" for share in (0.5, 0.95, 0.99))
        + f" {1000 * max(tally.acks, default=float('nan')):>7.0f} {100 * late:>6.1f} {waiting:>8}"
        + "".join("{:>8.2f}+{:.2f}".format(*shares[name]) for name in pids),
        flush=True,
    )
    assert finals or not talkers
    return tally


async def bench(crowds: list[int], seconds: float) -> None:
    """Prints a line for each crowd."""
    gc.freeze()
    gc.disable()  # pauses of the clients' would pass for those of the system
    env = {"MAX_SESSIONS": str(2 * max(crowds)), "SLOTS": str(2 * max(crowds))}
    print(
        f"{'talkers':>7} {'acks/s':>8} {'p50 ms':>7} {'p95':>7} {'p99':>7} {'max':>7} "
        f"{'late %':>6} {'unacked':>8}"
        + "".join(f" {name:>12}" for name in ("gateway", "transcriber", "broker", "clients")),
        flush=True,
    )
    for talkers in crowds:
        async with Stack(engine="mock", restart=False, env=env) as stack:
            await crowd(stack, talkers, seconds)


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--talkers", type=int, nargs="+", default=[100, 200, 400])
    parser.add_argument("--seconds", type=float, default=15.0)
    arguments = parser.parse_args()
    began = time.perf_counter()
    uvloop.run(bench(arguments.talkers, arguments.seconds))
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
