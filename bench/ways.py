"""Ways from a recording to its words: the bare engine, cut in this process, all of the system."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import numpy as np
import websockets

from recorded import Recording
from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE, Checkpoint, Entry, EntryKind, Reason
from scripta_transcriber.engines.base import Engine, Segment
from scripta_transcriber.engines.source import ModelSource
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter, load_detector

CHUNK_BYTES = SAMPLE_RATE // 10 * BYTES_PER_SAMPLE
"""100 ms of audio."""

UNACKNOWLEDGED = 20
"""Chunks that may be on the way without an acknowledgement: two seconds of audio."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a recording that was cut.

    Attributes:
        text: Its words.
        segments: How many finals they came in.
        processor_seconds: What decoding these took; finding speech is not in it.
    """

    text: str
    segments: int
    processor_seconds: float


def entries(pcm: bytes, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Entry]:
    """Yields the audio as the gateway would log it, and the end."""
    seq = 0
    for seq, at in enumerate(range(0, len(pcm), chunk_bytes), start=1):
        yield Entry(seq, EntryKind.AUDIO, at // BYTES_PER_SAMPLE, pcm[at : at + chunk_bytes])
    yield Entry(seq + 1, EntryKind.END, len(pcm) // BYTES_PER_SAMPLE)


def hearing_whole(engine: Engine, source: ModelSource) -> Callable[[Recording], str]:
    """Returns a function that transcribes a whole recording by the bare engine."""
    if engine.name != "whisper":
        return lambda recording: engine.transcribe(Segment(0, recording.pcm(), Reason.END)).text
    from faster_whisper import WhisperModel

    model = WhisperModel(str(source.find("whisper")), device="cpu", compute_type="int8")

    def transcribe(recording: Recording) -> str:
        samples = np.frombuffer(recording.pcm(), dtype="<i2").astype(np.float32) / 32768.0
        segments, _ = model.transcribe(samples, language=recording.asked)
        return " ".join(segment.text for segment in segments)

    return transcribe


def segments_of(engine: Engine, options: SegmenterOptions) -> Callable[[Recording], list[Segment]]:
    """Returns a function that cuts a recording as a session would.

    Args:
        engine: What the segments are for.
        options: Where to cut; the language is each recording's own.
    """
    detector = load_detector(engine.capabilities)

    def cut(recording: Recording) -> list[Segment]:
        asked = replace(options, language=recording.asked)
        segmenter = create_segmenter(engine.capabilities, Checkpoint(), asked, detector)
        cuts = (cut for entry in entries(recording.pcm()) for cut in segmenter.feed(entry))
        return [cut.segment for cut in cuts if cut.segment]

    return cut


def cutting(engine: Engine, options: SegmenterOptions) -> Callable[[Recording], Heard]:
    """Returns a function that transcribes a recording segment by segment in this process.

    Args:
        engine: Loaded; nothing else must run in the process meanwhile, or it is counted, too.
        options: Where to cut; the language is each recording's own.
    """
    cut = segments_of(engine, options)

    def transcribe(recording: Recording) -> Heard:
        segments = cut(recording)
        began = time.process_time()
        texts = [engine.transcribe(segment).text for segment in segments]
        return Heard(" ".join(texts), len(segments), time.process_time() - began)

    return transcribe


async def transcribe_ws(url: str, pcm: bytes, timeout: float) -> str:
    """Streams a recording in 100 ms chunks as fast as they are acknowledged; joins the finals.

    Raises:
        RuntimeError: The gateway reported an error.
        TimeoutError: The transcript was not complete in time.
    """
    finals: list[str] = []
    room = asyncio.Semaphore(UNACKNOWLEDGED)

    async with asyncio.timeout(timeout), websockets.connect(url, max_size=None) as socket:

        async def send() -> None:
            for at in range(0, len(pcm), CHUNK_BYTES):
                await room.acquire()
                await socket.send(pcm[at : at + CHUNK_BYTES])
            await socket.send(json.dumps({"type": "end"}))

        async with asyncio.TaskGroup() as group:
            sender = group.create_task(send())
            async for message in socket:
                event = json.loads(message)
                if event["status"] == "received":
                    room.release()
                elif event["status"] == "transcript":
                    finals.append(event["text"])
                elif event["status"] == "error":
                    raise RuntimeError(f"the gateway says: {event['error']}")
            sender.cancel()
        if socket.close_code != 1000:
            raise RuntimeError(f"closed with {socket.close_code} {socket.close_reason}")
    return " ".join(finals)


async def through_gateway(
    url: str, recordings: list[Recording], sessions: int, options: SegmenterOptions
) -> dict[str, str]:
    """Returns the transcript of every recording, ``sessions`` of them at a time."""
    parts = urlsplit(url)
    wishes = {"endpointing": options.endpointing_ms, "max_segment": options.max_segment_ms}
    cut = {name: str(wish) for name, wish in wishes.items() if wish is not None}
    gate = asyncio.Semaphore(sessions)
    texts: dict[str, str] = {}

    async def one(recording: Recording) -> None:
        async with gate:
            query = {"language": recording.asked or "auto", **cut, **dict(parse_qsl(parts.query))}
            target = urlunsplit(parts._replace(query=urlencode(query)))
            timeout = 120.0 + 4 * recording.seconds
            texts[recording.name] = await transcribe_ws(target, recording.pcm(), timeout)

    async with asyncio.TaskGroup() as group:
        for recording in recordings:
            group.create_task(one(recording))
    return texts
