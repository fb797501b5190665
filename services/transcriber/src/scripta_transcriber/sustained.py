"""How many sessions a thread sustains on this machine: found at start, by working for a second.

Cores differ by several times, and a transcriber with more sessions than it can follow is late for
all of them. So an engine that knows what a second of speech cost where its ``slots_per_thread``
was found hears the same speech here, on all threads at once as in service.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
import wave
from collections.abc import Iterable

import numpy as np

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE, Reason
from scripta_transcriber.engines.base import Capabilities, Engine, EngineError, Segment
from scripta_transcriber.engines.onnx import packaged_path
from scripta_transcriber.scheduler import Priority, Scheduler

logger = logging.getLogger(__name__)

LEAST, MOST = 2, 24
"""Slots a thread that a measurement may give.

A pause of the machine at start must not leave a transcriber that serves nobody. On a core twice as
fast as the reference other things set the limit, such as the broker and what neighbours do.
"""
SPEECH_SECONDS = 4.0
"""Length of the segment: with its interims 0.13 s of work on the reference core."""
MEASURE_SECONDS = 1.0
"""Time for all repetitions. The best of them counts: a neighbour disturbs some, seldom all."""
WAITS = 2.0
"""Time on the clock that counts at most, as a multiple of processor time.

Threads are the container's quota rounded up, so that each of several has at least half a core: this
wait is for good. Longer ones are neighbours', who must not cost slots for the life of a process.
"""


def cost_of(clock: float, processor: float) -> float:
    """Returns what a repetition counts for, in seconds.

    Args:
        clock: Seconds that it took.
        processor: Seconds of processor time that it took.
    """
    return min(clock, WAITS * processor)


def slots_for(capabilities: Capabilities, cost: float) -> int:
    """Returns the sessions that a thread sustains.

    Args:
        capabilities: Of an engine that has a ``speech_cost``.
        cost: What a second of speech costs here, in seconds of a thread.
    """
    assert capabilities.speech_cost is not None
    # A little is added because numbers of equal ratio may divide to 11.999.
    slots = math.floor(capabilities.slots_per_thread * capabilities.speech_cost / cost + 1e-9)
    return min(MOST, max(LEAST, slots))


async def slots_per_thread(
    engines: Iterable[Engine], scheduler: Scheduler, threads: int, interval: float
) -> int:
    """Returns the sessions that a thread sustains, whichever of the engines they have.

    Args:
        engines: The engines of the process, loaded.
        scheduler: Has the threads, which nobody uses yet.
        threads: How many they are.
        interval: Seconds of new audio that make another interim.
    """
    return min([await _measured(engine, scheduler, threads, interval) for engine in engines])


async def _measured(engine: Engine, scheduler: Scheduler, threads: int, interval: float) -> int:
    capabilities = engine.capabilities
    if capabilities.speech_cost is None:
        return capabilities.slots_per_thread
    try:
        pcm = await asyncio.to_thread(_speech)
    except (EngineError, OSError, ValueError, wave.Error) as error:
        # A model from a folder runs without the package that carries the speech.
        logger.warning("slots not measured", extra={"engine": engine.name, "error": str(error)})
        return capabilities.slots_per_thread
    until = time.perf_counter() + MEASURE_SECONDS
    works = [
        scheduler.run(Priority.FINAL, lambda: _best(engine, pcm, interval, until))
        for _ in range(threads)
    ]
    # Cancelled, the threads still come to the end of the second; nobody waits for them.
    cost = max(await asyncio.gather(*works)) / SPEECH_SECONDS
    slots = slots_for(capabilities, cost)
    facts = {"engine": engine.name, "speech_ms": round(1000 * cost, 1), "slots_per_thread": slots}
    logger.info("slots measured", extra=facts)
    return slots


def _best(engine: Engine, pcm: bytes, interval: float, until: float) -> float:
    """Returns the cost of the cheapest repetition; there is at least one."""
    best = math.inf
    while math.isinf(best) or time.perf_counter() < until:
        clock, processor = time.perf_counter(), time.thread_time()
        _hear(engine, pcm, interval)
        cost = cost_of(time.perf_counter() - clock, time.thread_time() - processor)
        best = min(best, cost)
    return best


def _hear(engine: Engine, pcm: bytes, interval: float) -> None:
    """Does what a segment of a live session costs: its interims, and the final."""
    step, memo = round(interval * SAMPLE_RATE) * BYTES_PER_SAMPLE, None
    for end in range(step, len(pcm), step):
        memo = engine.draft(Segment(0, pcm[:end], Reason.LENGTH), memo).memo
    engine.transcribe(Segment(0, pcm, Reason.LENGTH))


def _speech() -> bytes:
    """Returns read English from the package that carries the default model."""
    path = packaged_path("moonshine_voice", "moonshine-voice", "assets/two_cities.wav")
    with wave.open(str(path)) as file:
        step = file.getframerate() // SAMPLE_RATE
        frames = file.readframes(round(SPEECH_SECONDS * SAMPLE_RATE) * step)
    samples = np.frombuffer(frames, dtype="<i2").reshape(-1, step)
    pcm: bytes = samples.mean(axis=1).astype("<i2").tobytes()
    return pcm
