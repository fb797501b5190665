"""What happens to a decoder's process happens to its stream alone."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joined import joined

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.limits import DecoderLimits
from scripta_gateway.audio.processes import SHARED_PROCESSES, DecoderProcesses

pytestmark = [
    pytest.mark.asgi,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc"),
]

NEIGHBOURS = ["ogg_opus_live", "webm_live", "mp3_16k_live", "flac_live"]

HOSTILE = """
import os, sys, time
from dataclasses import replace
from scripta_gateway.audio import pumps, zygote
from scripta_gateway.audio.errors import AudioError
def spin(inlet):
    inlet.read(1)
    while True: pass
def hog(inlet):
    inlet.read(1)
    kept = []
    while True: kept.append(bytearray(1 << 20))
def crash(inlet):
    inlet.read(1)
    os.abort()
def look_around(inlet):
    inlet.read(1)
    seen = []
    for name, attempt in {
        "open": lambda: os.open("/etc/hostname", os.O_RDONLY),
        "socket": lambda: __import__("socket").socket(),
        "pipe": os.pipe,
    }.items():
        try:
            attempt()
        except OSError:
            continue
        seen.append(name)
    seen += [name for name in os.environ if name not in zygote_environment]
    for number in range(4, 256):
        try:
            os.fstat(number)
        except OSError:
            continue
        seen.append(f"descriptor {number}")
    raise AudioError("sees " + ", ".join(seen or ["nothing"]))
zygote_environment = {"PATH", "LC_ALL", "LC_CTYPE", "MALLOC_ARENA_MAX", "OPENBLAS_NUM_THREADS"}
for kind, pump in zip(list(pumps.CODINGS), (spin, hog, crash, look_around)):
    pumps.CODINGS[kind] = pumps.Coding(pump)
zygote.warm_up = lambda: None
zygote.main(int(sys.argv[1]))
"""
"""A zygote whose decoders misbehave; by kind, in the order of the kinds' table."""

SPINS, HOGS, CRASHES, LOOKS = (
    b"OggS\0\x02" + bytes(60),
    b"\x1a\x45\xdf\xa3" + bytes(60),
    b"\0\0\0\x18ftypM4A " + bytes(60),
    b"ID3\x04\0\0\0\0\0\0" + bytes(60),
)


@pytest.fixture
def processes() -> Iterator[DecoderProcesses]:
    own = DecoderProcesses()
    yield own
    own.close()


@pytest.fixture
def hostile() -> Iterator[DecoderProcesses]:
    own = DecoderProcesses(HOSTILE)
    yield own
    own.close()


class Stream:
    """A live stream that is sent part by part."""

    def __init__(self, parts: list[bytes], processes: DecoderProcesses, **limits: Any) -> None:
        self.parts = parts
        self.pcm = b""
        before = set(processes.living)
        self._processes, self._before = processes, before
        self.decoder = AudioDecoder(
            AudioFormat(),
            budget=StreamBudget(),
            processes=processes,
            limits=DecoderLimits(**limits),
        )
        self.pid = 0

    async def send(self, count: int) -> None:
        for part in self.parts[:count]:
            self.pcm += await joined(self.decoder.feed(part))
            if not self.pid:
                (self.pid,) = self._processes.living - self._before
        del self.parts[:count]

    async def finish(self) -> bytes:
        await self.send(len(self.parts))
        self.pcm += await joined(self.decoder.flush(end=True))
        await self.decoder.close()
        return self.pcm


def alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def begin(
    encoded: Callable[..., Any], processes: DecoderProcesses, **limits: Any
) -> tuple[Stream, list[Stream]]:
    """Returns a stream to hurt, and its neighbours, all in mid-stream."""
    streams = []
    for kind in ["ogg_opus_live", *NEIGHBOURS]:
        streams.append(Stream(list(encoded(kind).parts), processes, **limits))
        await streams[-1].send(20)
    return streams[0], streams[1:]


async def finish_unharmed(
    neighbours: list[Stream], encoded: Callable[..., Any], decode: Any
) -> None:
    for kind, neighbour in zip(NEIGHBOURS, neighbours, strict=True):
        assert await neighbour.finish() == (await decode([encoded(kind).data])).all


async def test_a_killed_decoder_ends_its_stream_only(
    encoded: Callable[..., Any], decode: Any, processes: DecoderProcesses, speech: Any
) -> None:
    victim, neighbours = await begin(encoded, processes)
    os.kill(victim.pid, signal.SIGKILL)
    with pytest.raises(AudioError, match="its decoder broke down"):
        await victim.send(1)
    await finish_unharmed(neighbours, encoded, decode)
    assert await joined(victim.decoder.feed(encoded("flac").data)) == speech.tobytes()
    await victim.decoder.close()
    assert not processes.living


async def test_a_stopped_decoder_ends_its_stream_only_and_is_killed(
    encoded: Callable[..., Any], decode: Any, processes: DecoderProcesses, until: Any
) -> None:
    victim, neighbours = await begin(encoded, processes, step_seconds=1.5)
    os.kill(victim.pid, signal.SIGSTOP)
    sending = asyncio.create_task(victim.send(1))
    await finish_unharmed(neighbours, encoded, decode)
    with pytest.raises(AudioError, match="takes too long to decode"):
        await sending
    await until(lambda: not alive(victim.pid))
    await victim.decoder.close()


async def test_streams_outlive_the_zygote_and_new_ones_get_another(
    encoded: Callable[..., Any], decode: Any, processes: DecoderProcesses, until: Any
) -> None:
    victim, neighbours = await begin(encoded, processes)
    first = processes.zygote_pid
    await asyncio.sleep(1.1)  # one that ends twice within a second is not started again
    os.kill(first, signal.SIGKILL)
    late = Stream(list(encoded("mp3").parts), processes)
    assert await late.finish() == (await decode([encoded("mp3").data])).all
    assert processes.zygote_pid not in {0, first}
    await finish_unharmed(neighbours, encoded, decode)
    await victim.decoder.close()
    pids = [victim.pid, late.pid, *(one.pid for one in neighbours)]
    await until(lambda: not any(map(alive, pids)))
    processes.close()
    assert not processes.living
    assert not any(map(there, pids))  # nor as a zombie


async def test_a_stopped_zygote_is_replaced(
    encoded: Callable[..., Any],
    decode: Any,
    processes: DecoderProcesses,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scripta_gateway.audio.decoder_process._OPEN_SECONDS", 4.0)
    stream = Stream(list(encoded("mp3").parts), processes)
    await stream.send(1)
    os.kill(processes.zygote_pid, signal.SIGSTOP)
    late = Stream(list(encoded("mp3").parts), processes)
    assert await late.finish() == (await decode([encoded("mp3").data])).all
    await stream.decoder.close()


async def refused(hostile: DecoderProcesses, message: bytes, **limits: Any) -> str:
    budget = StreamBudget(streams=1)
    decoder = AudioDecoder(
        AudioFormat(), budget=budget, processes=hostile, limits=DecoderLimits(**limits)
    )
    with pytest.raises(AudioError) as refusal:
        await joined(decoder.feed(message))
    await decoder.close()
    assert budget.free_streams == 1
    assert not hostile.living
    return str(refusal.value)


async def test_a_crash_is_an_error_of_the_stream(
    hostile: DecoderProcesses, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "broke down" in await refused(hostile, CRASHES)
    assert capfd.readouterr().err == ""


async def test_memory_without_end_is_refused(hostile: DecoderProcesses) -> None:
    message = await refused(hostile, HOGS, memory_bytes=32 << 20)
    assert message == "the webm data needs too much memory to decode"


async def test_an_endless_step_gives_its_turn_to_others_and_is_ended(
    hostile: DecoderProcesses, until: Any
) -> None:
    """As many as may compute at the same time must not keep everybody else from decoding."""
    budget = StreamBudget()
    budget.turns = asyncio.Semaphore(2)
    spinners = [
        AudioDecoder(
            AudioFormat(),
            budget=budget,
            processes=hostile,
            limits=DecoderLimits(step_seconds=4),
        )
        for _ in range(3 * (os.cpu_count() or 1))
    ]
    spinning = [asyncio.create_task(joined(spinner.feed(SPINS))) for spinner in spinners]
    await until(lambda: len(hostile.living) == len(spinners))
    pids = hostile.living
    await until(lambda: all(os.sched_getscheduler(pid) == os.SCHED_IDLE for pid in pids))
    assert not budget.turns.locked()
    for task in spinning:
        with pytest.raises(AudioError, match="takes too long to decode"):
            await task
    for spinner in spinners:
        await spinner.close()
    await until(lambda: not any(map(alive, pids)))


async def test_the_kernel_ends_a_step_that_nobody_watches(
    hostile: DecoderProcesses, until: Any
) -> None:
    """A gateway that was killed ends nobody, and an endless loop reads no socket."""
    decoder = AudioDecoder(AudioFormat(), processes=hostile)
    spinning = asyncio.create_task(joined(decoder.feed(SPINS)))
    await until(lambda: hostile.living)
    (pid,) = hostile.living
    limits = Path(f"/proc/{pid}/limits")
    await until(lambda: _limit(limits, "Max cpu time") < 60)
    spinning.cancel()
    await asyncio.gather(spinning, return_exceptions=True)
    await decoder.close()


def _limit(limits: Path, name: str) -> float:
    line = next(line for line in limits.read_text().splitlines() if line.startswith(name))
    soft = line[len(name) :].split()[0]
    return float("inf") if soft == "unlimited" else float(soft)


async def test_a_decoder_can_open_nothing_and_has_nothing_of_the_gateways(
    hostile: DecoderProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:secret@broker")
    assert await refused(hostile, LOOKS) == "sees nothing"


GATEWAY = """
import asyncio, sys
sys.path[:0] = {path!r}
from joined import joined
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.processes import SHARED_PROCESSES
async def main():
    data = open({file!r}, "rb").read()
    kept = [AudioDecoder(AudioFormat()) for _ in range(3)]
    for decoder in kept:
        await joined(decoder.feed(data))
    print(*SHARED_PROCESSES.living, SHARED_PROCESSES.zygote_pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM])
async def test_no_process_outlives_the_gateway(
    ended_by: signal.Signals, encoded: Callable[..., Any], tmp_path: Path, until: Any
) -> None:
    file = tmp_path / "speech.webm"
    file.write_bytes(encoded("webm_live").data)
    program = GATEWAY.format(path=sys.path, file=str(file))
    start = functools.partial(subprocess.Popen, stdout=subprocess.PIPE)
    with start([sys.executable, "-c", program]) as gateway:
        assert gateway.stdout is not None
        pids = [int(pid) for pid in (await asyncio.to_thread(gateway.stdout.readline)).split()]
        assert len(pids) == 4
        assert all(map(alive, pids))
        os.kill(pids[0], signal.SIGSTOP)
        gateway.send_signal(ended_by)
        gateway.wait()
    await until(lambda: not any(map(alive, pids)))


async def test_a_pause_in_taking_slices_pauses_the_decoder(
    encoded: Callable[..., Any], processes: DecoderProcesses
) -> None:
    """A message of half an hour must not be decoded faster than its audio is accepted."""
    data = encoded("flac").data
    stream = AudioDecoder(AudioFormat(), processes=processes)
    slices = stream.feed(data)
    first = await anext(slices)
    (pid,) = processes.living
    assert len(first) <= 64_000

    def cpu() -> int:
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))

    before, waited = cpu(), time.monotonic()
    await asyncio.sleep(0.2)  # nobody reads; in this time a decoder that goes on is seen
    assert cpu() - before <= 1
    assert time.monotonic() - waited < 5
    rest = await joined(slices)
    await stream.close()
    assert len(first + rest) == 96_000


async def test_an_upload_gives_way_to_live_streams(
    encoded: Callable[..., Any], processes: DecoderProcesses
) -> None:
    """Fifty uploads at a time must not keep the event loop, or whoever speaks, from computing.

    Nor must a dozen streams that begin at once, whatever they are, keep the event loop from it.
    """
    live = Stream(list(encoded("mp3_16k_live").parts), processes)
    await live.send(30)
    upload = AudioDecoder(AudioFormat(), processes=processes)
    slices = upload.feed(encoded("mp3_16k_live").data * 8)
    for _ in range(5):
        await anext(slices)
    (pid,) = processes.living - {live.pid}
    ours, lives, uploads = (os.getpriority(os.PRIO_PROCESS, each) for each in (0, live.pid, pid))
    assert ours < lives < uploads
    await upload.close()
    await live.decoder.close()


async def received(socket: Any) -> dict[str, Any]:
    """Returns the next answer to a message."""
    while True:
        frame: dict[str, Any] = json.loads(await socket.recv())
        if frame["status"] in ("received", "error"):
            return frame


async def test_clients_hear_of_their_own_decoder_only(
    encoded: Callable[..., Any], server: Any, mock_worker: object, until: Any
) -> None:
    """One client's crash was everybody's: all connections of the gateway were cut."""
    parts = encoded("webm_live").parts
    before = set(SHARED_PROCESSES.living)
    async with server.connect() as hurt, server.connect() as neighbour:
        await hurt.send(parts[0] + parts[1] + parts[2])
        assert (await received(hurt))["status"] == "received"
        (pid,) = SHARED_PROCESSES.living - before
        await neighbour.send(encoded("mp3_16k_live").data[:3000])
        assert (await received(neighbour))["status"] == "received"
        os.kill(pid, signal.SIGKILL)
        await hurt.send(parts[3])
        assert await received(hurt) == {
            "status": "error",
            "error": "Audio cannot be decoded: the webm data could not be decoded: "
            "its decoder broke down",
        }
        await hurt.send(bytes(3200))
        assert "its decoder broke down; go on with" in (await received(hurt))["error"]
        await hurt.send(encoded("wav").data)
        assert (await received(hurt))["status"] == "received"
        await neighbour.send(encoded("mp3_16k_live").data[3000:6000])
        assert (await received(neighbour))["status"] == "received"
    await until(lambda: not SHARED_PROCESSES.living - before)
