"""Acknowledgements when the broker is far away: how much they lag behind after a minute of speech.

The whole system runs with the mock engine, and all that goes to the broker and comes back is held
up on its way, so that a call takes a round trip of some milliseconds. Talkers send at the pace of
speech, whatever comes back. An acknowledgement can not come before one round trip; how late the
last ones are tells whether a session keeps up.

Run with ``make bench-distance``; ``ARGS="--seconds 60 --talkers 4"`` for a whole minute.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import cast

import picows
import uvloop

from crowd import Talker, Tally
from rig import quantile
from scripta_local.broker import Broker
from scripta_local.stack import Stack

HOST = "127.0.0.1"
CASES = ((0.020, 0.020), (0.100, 0.100), (0.020, 0.100), (0.100, 0.020))
"""Seconds of audio in a message, and of a round trip to the broker."""

ROUND_TRIPS = 3.0
"""An acknowledgement's time that is still good, in round trips, for 95 of 100."""

LAST = 0.25
"""Part of the time, at its end, that counts."""


class _Side(asyncio.Protocol):
    """One end of a connection; what it receives arrives at the other end some time later."""

    def __init__(self, seconds: float, port: int | None = None) -> None:
        self._seconds = seconds
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._last = 0.0
        self._early: list[bytes] = []
        self.other: asyncio.Transport | None = None
        self.transport: asyncio.Transport | None = None
        self._reaching: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connects the other end, if this one came from a client."""
        self.transport = cast("asyncio.Transport", transport)
        if self._port is not None:
            self._reaching = asyncio.create_task(self._reach(self._port))

    async def _reach(self, port: int) -> None:
        side = _Side(self._seconds)
        side.other = self.transport
        await self._loop.create_connection(lambda: side, HOST, port)
        self.other = side.transport
        for data in self._early:
            self._send(data)

    def data_received(self, data: bytes) -> None:
        """Sends what came on its way."""
        if self.other is None:
            self._early.append(data)
        else:
            self._send(data)

    def _send(self, data: bytes) -> None:
        assert self.other is not None
        # Never before what went ahead of it.
        self._last = max(self._loop.time() + self._seconds, self._last + 1e-6)
        self._loop.call_at(self._last, self._arrive, self.other, data)

    def _arrive(self, other: asyncio.Transport, data: bytes) -> None:
        if not other.is_closing():
            other.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        """Ends the other end, too."""
        if self.other is not None:
            self.other.close()


async def measure(chunk: float, trip: float, talkers: int, seconds: float) -> bool:
    """Prints how late acknowledgements are at the end; returns whether that is good."""
    loop = asyncio.get_running_loop()
    broker = Broker()
    broker.start()
    far = await loop.create_server(lambda: _Side(trip / 2, broker.port), HOST, 0)
    url = broker.url.replace(f":{broker.port}", f":{far.sockets[0].getsockname()[1]}")
    try:
        async with Stack(engine="mock", restart=False, redis_url=url) as stack:
            tally = Tally()
            clients: list[Talker] = []
            for _ in range(talkers):
                _, client = await picows.ws_connect(lambda: Talker(tally, chunk), stack.ws_url)
                clients.append(client)
            await asyncio.sleep(seconds * (1 - LAST))
            tally.since = loop.time()
            await asyncio.sleep(seconds * LAST)
            waiting = tally.waiting / talkers * chunk
            for client in clients:
                client.close()
    finally:
        far.close()
        broker.close()
    p50, p95 = (quantile(tally.acks, share) for share in (0.5, 0.95))
    good = p95 <= ROUND_TRIPS * trip
    print(
        f"{1000 * chunk:>8.0f} {1000 * trip:>10.0f} {len(tally.acks):>6} {1000 * p50:>8.0f} "
        f"{1000 * p95:>8.0f} {p95 / trip:>11.1f} {waiting:>10.2f}  {'' if good else 'too late'}",
        flush=True,
    )
    return good


async def bench(talkers: int, seconds: float) -> int:
    """Prints a line for each case; returns the process's exit code."""
    print(
        f"{'chunk ms':>8} {'round trip':>10} {'acks':>6} {'p50 ms':>8} {'p95 ms':>8} "
        f"{'round trips':>11} {'behind s':>10}",
        flush=True,
    )
    good = [await measure(chunk, trip, talkers, seconds) for chunk, trip in CASES]
    return 0 if all(good) else 1


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--talkers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    sys.exit(uvloop.run(bench(arguments.talkers, arguments.seconds)))


if __name__ == "__main__":
    main()
