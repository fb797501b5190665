"""One long file in each way that it can be sent: what does the way cost, and which words come?

The file is put together of recordings, one behind the other. It is posted (``/v1/listen``), then
streamed as the command line streams files (``/ws``), and last heard by the bare engine, in a
process of its own, without interims, network or log. Of each way it prints the time, the
processor time of the gateway and of whatever hears, and the memory of the gateway. Processor time
does not depend on what else the machine does, as time does. Linux only.

Run with ``make bench-files``; ``ARGS="--minutes 60"`` for another length.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import jiwer
import msgspec
import uvloop

from cadence import follow
from cost import used
from deck import CHUNK_SAMPLES, Choice, recordings
from rig import Rig, cores_for, rig
from scripta_client.events import Final, Interim
from scripta_client.streaming import stream_file
from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE, Checkpoint, Entry, EntryKind
from scripta_transcriber.engines import create_engine
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter, load_detector
from uploads import MIB, TIMEOUT_SECONDS, resident

PATH = "/v1/listen?punctuate=true&filler_words=true"
LOOK_SECONDS = 0.25
_NO_INTERIMS = 1e9
PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Way:
    """What one way of sending a file came to.

    Attributes:
        text: The words.
        seconds: Time that it took.
        engine: Processor seconds of what heard it.
        gateway: Processor seconds of the gateway.
        memory: Resident bytes of the gateway, as they were seen.
    """

    text: str
    seconds: float
    engine: float
    gateway: float = 0.0
    memory: tuple[int, ...] = ()


def write_recording(path: Path, minutes: float) -> float:
    """Writes speech of about so many minutes; returns its seconds."""
    length = 0.0
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(BYTES_PER_SAMPLE)
        file.setframerate(SAMPLE_RATE)
        for chunks in cycle(recordings(Choice.READ).values()):
            file.writeframes(b"".join(chunks))
            length += len(chunks) * CHUNK_SAMPLES / SAMPLE_RATE
            if length >= minutes * 60:
                return length
    raise AssertionError("there are no recordings")


async def post(system: Rig, path: Path) -> str:
    """Posts a file; returns its words."""
    with path.open("rb") as file:

        async def pieces() -> AsyncIterator[bytes]:
            while piece := file.read(PIECE_BYTES):
                yield piece

        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            answer = await client.post(system.stack.url + PATH, content=pieces())
    answer.raise_for_status()
    (channel,) = answer.json()["results"]["channels"]
    return str(channel["alternatives"][0]["transcript"])


async def stream(system: Rig, path: Path) -> str:
    """Streams a file as the command line does; returns its words."""
    heard: list[str] = []

    def take(result: Final | Interim) -> None:
        if isinstance(result, Final) and result.text:
            heard.append(result.text)

    await stream_file(system.stack.ws_url, path, on_result=take)
    return " ".join(heard)


async def measured(system: Rig, send: Callable[[Rig, Path], Awaitable[str]], path: Path) -> Way:
    """Returns what a way of sending comes to."""
    (transcriber,), gateway = system.stack.transcribers, system.stack.gateway
    assert transcriber is not None
    assert gateway is not None
    seen: list[int] = []

    async def watch() -> None:
        while True:
            seen.append(resident(gateway))
            await asyncio.sleep(LOOK_SECONDS)

    watching = asyncio.create_task(watch())
    began, engine, own = time.perf_counter(), used(transcriber), used(gateway)
    try:
        text = await send(system, path)
    finally:
        watching.cancel()
    return Way(
        text,
        time.perf_counter() - began,
        used(transcriber) - engine,
        used(gateway) - own,
        tuple(seen),
    )


def hear(path: Path) -> Way:
    """Returns what the bare engine makes of a file, in this process."""
    engine = create_engine("moonshine", 1)
    engine.load()
    options = SegmenterOptions()
    segmenter = create_segmenter(
        engine.capabilities, Checkpoint(), options, load_detector(engine.capabilities)
    )
    began, cpu = time.perf_counter(), time.process_time()
    with wave.open(str(path)) as file:
        length = file.getnframes()

        def entries() -> Iterator[Entry]:
            for place, at in enumerate(range(0, length, CHUNK_SAMPLES)):
                pcm = file.readframes(CHUNK_SAMPLES)
                yield Entry(place + 1, EntryKind.AUDIO, at, pcm)
            yield Entry(length // CHUNK_SAMPLES + 2, EntryKind.FINALIZE, length)

        heard = [
            engine.transcribe(segment).text
            for _, segment, final in follow(segmenter, entries(), _NO_INTERIMS)
            if final and segment is not None and segment.pcm
        ]
    text = " ".join(filter(None, heard))
    return Way(text, time.perf_counter() - began, time.process_time() - cpu)


async def bare(path: Path) -> Way:
    """Runs ``hear`` in a process of its own, on the core that the transcriber had."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__)),
        "--bare",
        str(path),
        stdout=asyncio.subprocess.PIPE,
    )
    answer, _ = await child.communicate()
    if child.returncode:
        raise SystemExit(f"the bare engine ended with {child.returncode}")
    return msgspec.json.decode(answer, type=Way)


def show(name: str, way: Way, length: float, reference: str) -> None:
    """Prints a row."""
    pace, engine, gateway = (
        f"{length / way.seconds:.1f}",
        f"{1000 * way.engine / length:.1f}",
        f"{1000 * way.gateway / length:.2f}",
    )
    quarter = max(1, len(way.memory) // 4)
    means = [sum(part) / quarter / MIB for part in (way.memory[:quarter], way.memory[-quarter:])]
    memory = f"{means[0]:.0f}, {means[1]:.0f}" if way.memory else "-"
    wrong = "-" if way.text == reference else f"{jiwer.wer(reference, way.text):.2%}"
    print(
        f"| {name} | {way.seconds:.0f} s | {pace} | {engine} ms | {gateway} ms | {memory} | "
        f"{len(way.text.split())} | {wrong} |",
        flush=True,
    )


async def bench(minutes: float) -> int:
    """Prints all ways; returns the process's exit code."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "long.wav"
        length = write_recording(path, minutes)
        print(f"{length / 60:.1f} minutes of speech, {path.stat().st_size / MIB:.0f} MiB\n")
        print("| Way | Time | x real time | Engine, of a second | Gateway | MiB | Words | Wrong |")
        print("|---|---|---|---|---|---|---|---|", flush=True)
        async with rig(1, slots=None) as system:
            posted = await measured(system, post, path)
            show("posted", posted, length, posted.text)
            streamed = await measured(system, stream, path)
            show("streamed", streamed, length, posted.text)
        show("bare engine", await bare(path), length, posted.text)
    return 0


def main() -> int:
    """Runs it; returns the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the file")
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare is not None:
        os.sched_setaffinity(0, set(cores_for(1)))
        sys.stdout.buffer.write(msgspec.json.encode(hear(arguments.bare)))
        return 0
    return uvloop.run(bench(arguments.minutes))


if __name__ == "__main__":
    sys.exit(main())
