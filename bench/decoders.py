"""What live compressed streams cost a gateway, and how many it carries, by their kind.

For each kind of stream and each number of them, at the pace of speech in messages of 100 ms: the
memory of the gateway with all its processes for a stream (their proportional share, so that what
they share counts once), the processor time for a second of a stream, by the gateway itself and by
its decoders, and how late messages are acknowledged. A gateway carries a number if 95 % of the
acknowledgements come within 250 ms. The clients share the machine with it, so figures of two
designs are compared within one run: ``--base PATH`` measures another checkout in turn, by its own
environment. Linux only, for ``/proc``.

Run with ``make bench-decoders``; ``ARGS="--kinds ogg --streams 50 100 --base ../before"``.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, quantiles

import av
import msgspec
import numpy as np
import picows
import uvloop

from scripta_common.wire import SAMPLE_RATE
from scripta_local.stack import Commands, Stack
from speakers import sample_chunks

MESSAGE_SECONDS = 0.1
SPEECH_SECONDS = 90
CARRIED_SECONDS = 0.25
SETTLE_SECONDS = 2.0
TURNS = 20
KINDS = {
    "raw": ("", "", 16_000, {}),
    "ogg": ("ogg", "libopus", 48_000, {"page_duration": "100000"}),
    "webm": ("webm", "libopus", 48_000, {"live": "1", "cluster_time_limit": "100"}),
    "mp3": ("mp3", "libmp3lame", 16_000, {"write_xing": "0"}),
    "flac": ("flac", "flac", 16_000, {}),
}


class Unseekable:
    """A file that a muxer writes a live stream to."""

    def __init__(self) -> None:
        self._written = io.BytesIO()

    def write(self, data: bytes) -> int:
        """Takes what the muxer has."""
        return self._written.write(data)

    def taken(self) -> bytes:
        """Returns what was written since the last call."""
        data = self._written.getvalue()
        self._written = io.BytesIO()
        return data


def messages_of(kind: str) -> list[bytes]:
    """Returns speech as a live stream of a kind, in messages of 100 ms."""
    pcm = b"".join(sample_chunks())
    pcm *= SPEECH_SECONDS * SAMPLE_RATE * 2 // len(pcm) + 1
    size = round(MESSAGE_SECONDS * SAMPLE_RATE)
    samples = np.frombuffer(pcm, "<i2")[: SPEECH_SECONDS * SAMPLE_RATE].reshape(-1, 1, size)
    form, codec, rate, options = KINDS[kind]
    if not form:
        return [block.tobytes() for block in samples]
    file, messages = Unseekable(), []
    with av.open(file, "w", format=form, options=options, buffer_size=1024) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(stream.codec_context.format or "s16", "mono", rate)
        for block in samples:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "s16", "mono")
            frame.sample_rate = SAMPLE_RATE
            for part in resampler.resample(frame):
                out.mux(stream.encode(part))
            messages.append(file.taken())
    return messages


class _Frame(msgspec.Struct):
    status: str
    error: str = ""


_decode = msgspec.json.Decoder(_Frame).decode


@dataclass(slots=True)
class Seen:
    """What all clients saw since it was last emptied."""

    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    sent: int = 0


class Client(picows.WSListener):  # type: ignore[misc]
    """Sends a live stream and times its acknowledgements."""

    def __init__(self, messages: Sequence[bytes], seen: Seen) -> None:
        self._messages, self._seen = deque(messages), seen
        self._open: deque[float] = deque()
        self._transport: picows.WSTransport | None = None

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Notes the connection."""
        self._transport = transport

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Times an acknowledgement."""
        if frame.msg_type == picows.WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == picows.WSMsgType.TEXT:
            message = _decode(frame.get_payload_as_memoryview())
            if message.status == "received":
                self._seen.latencies.append(time.monotonic() - self._open.popleft())
            elif message.status == "error":
                self._seen.errors.append(message.error)
        elif frame.msg_type == picows.WSMsgType.CLOSE:
            self._seen.errors.append(f"closed with {frame.get_close_code()}")

    def say(self) -> None:
        """Sends the next message; an encoder that holds back has none now and then."""
        if self._transport is not None and self._messages and (data := self._messages.popleft()):
            self._open.append(time.monotonic())
            self._seen.sent += 1
            self._transport.send(picows.WSMsgType.BINARY, data)

    def leave(self) -> None:
        """Cuts the connection."""
        if self._transport is not None:
            self._transport.disconnect()


def processes_of(gateway: int) -> list[int]:
    """Returns a gateway's process and all that descend from it."""
    found, at = [gateway], 0
    while at < len(found):
        path = Path(f"/proc/{found[at]}/task/{found[at]}/children")
        with suppress(OSError):  # it has ended meanwhile
            found += map(int, path.read_text().split())
        at += 1
    return found


def memory_of(pids: Sequence[int]) -> float:
    """Returns the proportional memory of processes, page tables included, in KB."""
    total = 0
    for pid in pids:
        try:
            for name, key in (("smaps_rollup", "Pss:"), ("status", "VmPTE:")):
                lines = Path(f"/proc/{pid}/{name}").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith(key))
        except (OSError, StopIteration):
            continue
    return total


def cpu_of(pids: Sequence[int]) -> float:
    """Returns the processor seconds that processes have used."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Level:
    """What a number of streams came to: KB and milliseconds a second for each, and latencies."""

    streams: int
    memory: float
    gateway: float
    decoders: float
    p50: float
    p95: float
    errors: Sequence[str]

    @property
    def carried(self) -> bool:
        """Whether the gateway carries this number."""
        return self.p95 <= CARRIED_SECONDS and not self.errors


async def speak(clients: list[Client]) -> None:
    """Lets everybody send at the pace of speech, spread over time, until cancelled."""
    clock = asyncio.get_running_loop().time
    due = clock()
    while True:
        for turn in range(TURNS):
            for client in clients[turn::TURNS]:
                client.say()
            due += MESSAGE_SECONDS / TURNS
            await asyncio.sleep(max(0.0, due - clock()))


async def measure(name: str, python: str, kind: str, sizes: Sequence[int], seconds: float) -> int:
    """Prints a kind's table; returns the largest number of streams that was carried."""
    messages = messages_of(kind)
    commands = Commands(
        gateway=(python, "-m", "scripta_gateway"), transcriber=(python, "-m", "scripta_transcriber")
    )
    most = str(max(sizes) + 1)
    env = {"SLOTS": most, "MAX_SESSIONS": most, "MAX_WAITING": most, "LOG_LEVEL": "WARNING"}
    carried = 0
    async with Stack(engine="mock", restart=False, env=env, commands=commands) as stack:
        assert stack.gateway is not None
        seen, clients = Seen(), list[Client]()
        speaking = asyncio.create_task(speak(clients), name="speak")
        await asyncio.sleep(SETTLE_SECONDS)
        idle = memory_of(processes_of(stack.gateway))
        for size in sizes:
            while len(clients) < size:
                _, client = await picows.ws_connect(
                    lambda: Client(messages, seen),
                    f"{stack.ws_url}?encoding=linear16" if kind == "raw" else stack.ws_url,
                )
                clients.append(client)
            await asyncio.sleep(SETTLE_SECONDS)
            level = await _watch(stack.gateway, size, seen, idle, seconds)
            _print(name, kind, level)
            if not level.carried:
                break
            carried = size
        speaking.cancel()
        for client in clients:
            client.leave()
    return carried


async def _watch(gateway: int, size: int, seen: Seen, idle: float, seconds: float) -> Level:
    seen.latencies.clear()
    own, all_of_it = cpu_of([gateway]), cpu_of(processes_of(gateway))
    began = time.monotonic()
    await asyncio.sleep(seconds)
    took = (time.monotonic() - began) * size / 1000
    pids = processes_of(gateway)
    own, all_of_it = cpu_of([gateway]) - own, cpu_of(pids) - all_of_it
    late = sorted(seen.latencies)
    return Level(
        streams=size,
        memory=(memory_of(pids) - idle) / size,
        gateway=own / took,
        decoders=(all_of_it - own) / took,
        p50=late[len(late) // 2] if late else 99.0,
        p95=quantiles(late, n=20)[-1] if len(late) > 1 else 99.0,
        errors=list(seen.errors),
    )


def _print(name: str, kind: str, level: Level) -> None:
    print(
        f"{name:6} {kind:5} {level.streams:7} {level.memory:10.0f} {level.gateway:9.2f} "
        f"{level.decoders:9.2f} {level.p50 * 1000:8.0f} {level.p95 * 1000:8.0f}  "
        f"{level.errors[0] if level.errors else ''}",
        flush=True,
    )


async def bench(arguments: argparse.Namespace) -> int:
    """Prints the tables; returns the process's exit code."""
    systems = {"here": sys.executable}
    if arguments.base is not None:
        systems["base"] = str(arguments.base / ".venv/bin/python")
    print("design kind  streams  KB/stream   gateway  decoders  ack p50  ack p95 ms")
    print("                                 (CPU ms a stream-second)", flush=True)
    carried: dict[str, list[int]] = {name: [] for name in systems}
    for kind in arguments.kinds:
        for name, python in systems.items():
            most = await measure(name, python, kind, arguments.streams, arguments.seconds)
            carried[name].append(most)
    print(
        "carried:",
        {name: dict(zip(arguments.kinds, all_, strict=True)) for name, all_ in carried.items()},
    )
    if arguments.base is None:
        return 0
    compressed = [place for place, kind in enumerate(arguments.kinds) if kind != "raw"]
    here, base = (mean(carried[name][place] for place in compressed) for name in systems)
    share = here / max(1.0, base)
    print(f"That is {share:.0%} of the compressed streams that the base carries; 80 % are wanted.")
    return 0 if share >= 0.8 else 1


def main() -> None:
    """Parses the arguments and runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--streams", type=int, nargs="+", default=[25, 50, 100, 150, 200, 250])
    parser.add_argument("--seconds", type=float, default=6.0, help="for each number")
    parser.add_argument("--base", type=Path, help="another checkout with an environment")
    arguments = parser.parse_args()
    if not Path("/proc/self/smaps_rollup").exists():
        raise SystemExit("This needs /proc: run it on Linux.")
    arguments.streams.sort()
    sys.exit(uvloop.run(bench(arguments)))


if __name__ == "__main__":
    main()
