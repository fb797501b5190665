"""What happens to a decoder's process happens to its stream alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from decoder_streams import Stream, alive, begin, finish_unharmed, there
from joined import joined

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.limits import DecoderLimits
from scripta_gateway.audio.processes import DecoderProcesses

pytestmark = [
    pytest.mark.asgi,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc"),
]

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
def hostile() -> Iterator[DecoderProcesses]:
    own = DecoderProcesses(HOSTILE)
    yield own
    own.close()


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
