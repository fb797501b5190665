"""Drives a pipecat speech-to-text service in a pipeline of its own."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from report import tell
from speech import read_speech, steps

logger.remove()
logger.add(sys.stderr, level="WARNING")


class Ears(FrameProcessor):
    """The end of the pipeline: tells the frames that an agent would get."""

    def __init__(self) -> None:
        super().__init__()
        self.answered = asyncio.Event()
        self._changed = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Tells a frame and passes it on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame):
            final = isinstance(frame, TranscriptionFrame)
            data = {"text": frame.text, "language": frame.language, "timestamp": frame.timestamp}
            if final:
                data |= {"finalized": frame.finalized, "words": words_of(frame.result)}
                self.answered.set()
            tell("message", type=type(frame).__name__, data=data)
            tell("final" if final else "interim", text=frame.text)
            self._changed.set()
        await self.push_frame(frame, direction)

    async def settled(self, quiet: float) -> None:
        """Waits until the last request for words was answered, and nothing more comes."""
        try:
            async with asyncio.timeout(10 * quiet):
                await self.answered.wait()
            while True:
                self._changed.clear()
                async with asyncio.timeout(quiet):
                    await self._changed.wait()
        except TimeoutError:
            return


def words_of(result: Any) -> list[dict[str, Any]]:
    """Returns the words and times in the vendor's message, which a frame carries."""
    channel = getattr(result, "channel", None)
    return [] if channel is None else [dict(word) for word in channel.alternatives[0].words]


async def stream(service: Any, ears: Ears, options: argparse.Namespace) -> None:
    """Runs the recording through the service; a pause of the speaker is where it is finalized."""
    speech = read_speech(options)
    params = PipelineParams(audio_in_sample_rate=speech.rate)
    worker = PipelineWorker(Pipeline([service, ears]), params=params, cancel_on_idle_timeout=False)
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def on_started(*_: Any) -> None:
        started.set()

    @worker.event_handler("on_pipeline_error")
    async def on_error(_: Any, frame: Any) -> None:
        usable = getattr(frame.processor, "is_usable", None)
        tell("error", kind="ErrorFrame", text=str(frame.error)[:500], usable=usable)

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await started.wait()
    tell("open")
    await worker.queue_frame(VADUserStartedSpeakingFrame())
    async for step in steps(speech, options):
        if step.what == "audio":
            frame = InputAudioRawFrame(step.data, speech.rate, speech.channels)
            await worker.queue_frame(frame)
        elif step.what in ("finalize", "commit"):
            await worker.queue_frame(VADUserStoppedSpeakingFrame())
            await worker.queue_frame(VADUserStartedSpeakingFrame())
    if not options.plain_end:
        ears.answered.clear()
        await worker.queue_frame(VADUserStoppedSpeakingFrame())
        await ears.settled(options.settle)
    await worker.queue_frame(EndFrame())
    await running
    tell("closed", code=None, reason=None)
