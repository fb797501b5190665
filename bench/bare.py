"""The bare engine on the benches' recordings, in one process: no network, no log, no event loop.

It does what a transcriber does for one session after the other: hears every frame of voice, makes
an interim each half second of an open segment and a final at its end, as fast as it can. How
many seconds of audio it gets done in a second is the most sessions that its threads could serve.

``measure`` runs it as a process of its own: ``bare.py INTERIMS THREADS CORES CHOICE``.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final as Constant

import msgspec

from cadence import follow
from deck import CHUNK_SAMPLES, CHUNK_SECONDS, Choice, Due, recordings, stable_share
from engine_log import WatchedEngine, checksum
from interim_designs import INTERVAL_SECONDS, Interims
from scripta_common.wire import SAMPLE_RATE, Checkpoint, Entry, EntryKind, Reason
from scripta_transcriber.engines.base import Engine, Segment
from scripta_transcriber.hypothesis import Hypothesis
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter, load_detector
from scripta_transcriber.segmenter.rules import Rules
from scripta_transcriber.segmenter.vad import VoiceDetector

_PRE_ROLL: Constant = round(Rules().pre_roll * SAMPLE_RATE)


class Heard(msgspec.Struct):
    """What the bare engine made of some recordings, and how long it took.

    Attributes:
        audio: Seconds of audio.
        wall: Seconds of time.
        cpu: Seconds of processor time.
        dues: The finals of each recording.
        interims: How many interims it made.
    """

    audio: float = 0.0
    wall: float = 0.0
    cpu: float = 0.0
    dues: dict[str, list[Due]] = {}
    interims: int = 0


class Listener:
    """Hears recordings one after the other.

    Args:
        engine: What hears them.
        detector: What finds speech for it.
        heard: Where it notes what came of them.
        drafts: Whether it makes interims, if the engine makes any.
    """

    def __init__(
        self,
        engine: Engine,
        detector: VoiceDetector | None,
        heard: Heard,
        *,
        drafts: bool = True,
    ) -> None:
        self._engine = engine
        self._detector = detector
        self._heard = heard
        self._drafts = drafts and engine.capabilities.interims

    def hear(self, name: str, chunks: list[bytes], language: str | None = None) -> None:
        """Hears a recording and notes its finals; ``language`` is what its session asks for."""
        dues = self._heard.dues[name] = []
        options = SegmenterOptions(language=language)
        segmenter = create_segmenter(
            self._engine.capabilities, Checkpoint(), options, self._detector
        )
        hypothesis, shares = Hypothesis(self._engine), list[float]()
        for place, segment, final in follow(segmenter, _entries(chunks), INTERVAL_SECONDS):
            if not final and not self._drafts:
                continue
            if not final and segment is not None:
                words = hypothesis.hear(segment)
                shares.append(stable_share(words.text, words.stable))
                continue
            if segment is not None:
                dues.append(self._final(segment, place, shares, dues))
            hypothesis, shares = Hypothesis(self._engine), []
        self._heard.audio += len(chunks) * CHUNK_SECONDS
        self._heard.interims += sum(due.interims for due in dues)

    def _final(self, segment: Segment, place: int, shares: list[float], dues: list[Due]) -> Due:
        text = self._engine.transcribe(segment).text if segment.pcm else ""
        # What is behind a cut for length was in the interims of the segment before.
        goes_on = (
            segment.start == dues[-1].end or dues[-1].reason is Reason.LENGTH
            if dues
            else segment.start == 0
        )
        onset = None if goes_on else (segment.start + _PRE_ROLL) // CHUNK_SAMPLES
        return Due(
            segment.start,
            segment.end,
            segment.reason,
            text,
            place,
            onset,
            len(shares),
            sum(shares),
            checksum(segment),
        )


def _entries(chunks: list[bytes]) -> list[Entry]:
    audio = [
        Entry(place + 1, EntryKind.AUDIO, place * CHUNK_SAMPLES, chunk)
        for place, chunk in enumerate(chunks)
    ]
    return [*audio, Entry(len(chunks) + 1, EntryKind.FINALIZE, len(chunks) * CHUNK_SAMPLES)]


def run(design: Interims, threads: int, choice: Choice) -> Heard:
    """Hears all recordings, each thread the next one that nobody has."""
    design.apply()
    engine = WatchedEngine(design.engine(), None, drafts=design.drafts)
    engine.load()
    detector = load_detector(engine.capabilities)
    line: queue.SimpleQueue[tuple[str, list[bytes]]] = queue.SimpleQueue()
    # The longest first, so that no thread is left alone with one at the end.
    for item in sorted(recordings(choice).items(), key=lambda item: -len(item[1])):
        line.put(item)

    def work(heard: Heard) -> None:
        listener = Listener(engine, detector, heard)
        while True:
            try:
                name, chunks = line.get_nowait()
            except queue.Empty:
                return
            listener.hear(name, chunks)

    parts = [Heard() for _ in range(threads)]
    wall, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, parts):
            pass
    total = Heard(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)
    for part in parts:
        total.audio += part.audio
        total.dues |= part.dues
        total.interims += part.interims
    return total


async def measure(design: Interims, cores: list[int], choice: Choice = Choice.READ) -> Heard:
    """Runs it with a thread for each of some cores, bound to them, in a process of its own."""
    bound = ",".join(map(str, cores))
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__)),
        design,
        str(len(cores)),
        bound,
        choice,
        stdout=asyncio.subprocess.PIPE,
    )
    answer, _ = await child.communicate()
    if child.returncode:
        raise SystemExit(f"bare.py ended with {child.returncode}")
    return msgspec.json.decode(answer, type=Heard)


if __name__ == "__main__":
    interims, count, allowed, which = sys.argv[1:]
    os.sched_setaffinity(0, {int(core) for core in allowed.split(",")})
    result = run(Interims(interims), int(count), Choice(which))
    sys.stdout.buffer.write(msgspec.json.encode(result))
