"""Transcribers with scripted engines on a real broker, and the gateway's side of a session."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.broker_clock import BrokerClock
from scripta_common.sessionlog import (
    Claim,
    Doorbell,
    GatewayLog,
    Roster,
    SessionOptions,
    TranscriberLog,
)
from scripta_common.usage import Meter
from scripta_common.wire import (
    Checkpoint,
    Ended,
    Entry,
    EntryKind,
    Failed,
    Final,
    Reason,
    Recorded,
)
from scripta_local.broker import Broker as BrokerProcess
from scripta_transcriber.engines.base import (
    Capabilities,
    Draft,
    Segment,
    Segmentation,
    Transcript,
)
from scripta_transcriber.engines.choice import Engines
from scripta_transcriber.listening import Listening
from scripta_transcriber.metering import Metering
from scripta_transcriber.misfits import Misfits
from scripta_transcriber.quarantine import Quarantine
from scripta_transcriber.rounds import Rounds
from scripta_transcriber.scheduler import Scheduler
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter
from scripta_transcriber.segmenter.base import Cut, Segmenter
from scripta_transcriber.segmenter.speech_watch import SpeechWatch
from scripta_transcriber.segmenter.vad import VoiceDetector
from scripta_transcriber.transcription import Tools, Transcription
from scripta_transcriber.worker import Worker


def speak(text: str) -> bytes:
    """Returns audio whose samples are the letters of a text."""
    return np.array([ord(letter) for letter in text], "<i2").tobytes()


class LetterEngine:
    """Reads the letters out of its audio.

    ``!`` makes it fail; it waits at ``?`` until ``go`` is set.
    """

    def __init__(self, name: str = "letters", **capabilities: Any) -> None:
        self.name = name
        self.capabilities = Capabilities(frozenset({"en"}), **capabilities)
        self.go = threading.Event()
        self.waiting = threading.Event()
        self.heard: list[str] = []

    def load(self) -> None:
        """Loads nothing."""

    def transcribe(self, segment: Segment) -> Transcript:
        text = "".join(chr(sample) for sample in np.frombuffer(segment.pcm, "<i2"))
        self.heard.append(text.strip())
        if "?" in text:
            self.waiting.set()
            self.go.wait(20)
        if "!" in text:
            raise ValueError("an engine that can not stand exclamations")
        return Transcript(text.strip())

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        return Draft(self.transcribe(segment).text)


class SentenceSegmenter:
    """Cuts behind every full stop and at boundaries; spaces alone are silence."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._start = checkpoint.sample
        self._open = ""

    @property
    def quiet(self) -> bool:
        return not self._open.strip()

    def feed(self, entry: Entry) -> list[Cut]:
        cuts = []
        skipped = max(0, self._start + len(self._open) - entry.first_sample)
        for sample in np.frombuffer(entry.pcm, "<i2")[skipped:]:
            self._open += chr(sample)
            if self._open.endswith("."):
                whole = self._start + len(self._open) == entry.end_sample
                cuts.append(self._cut(Reason.ENDPOINT, entry.seq if whole else entry.seq - 1))
        if entry.kind is not EntryKind.AUDIO:
            ended = entry.kind is EntryKind.END
            cuts.append(self._cut(Reason.END if ended else entry.reason, entry.seq, ended=ended))
        return cuts

    def _cut(self, reason: Reason, seq: int, *, ended: bool = False) -> Cut:
        said = bool(self._open.strip())
        start, pcm = self._start, speak(self._open)
        self._start += len(self._open)
        self._open = ""
        segment = Segment(start, pcm, reason) if said else Segment(self._start, b"", reason)
        checkpoint = Checkpoint(self._start, seq)
        return Cut(segment if said or not ended else None, checkpoint, ended=ended)

    def open_segment(self) -> Segment | None:
        if not self._open.strip():
            return None
        return Segment(self._start, speak(self._open), Reason.LENGTH)


@dataclass
class Transcriber:
    """One transcriber without its process: everything that a service puts together."""

    broker: Broker
    log: TranscriberLog
    engine: Any
    worker: Worker
    bell: Doorbell
    scheduler: Scheduler
    clock: BrokerClock
    metering: Metering
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> Transcriber:
        self.tasks = [
            asyncio.create_task(self.worker.run(), name="worker"),
            asyncio.create_task(self.bell.run(), name="bell"),
            asyncio.create_task(self.metering.run(), name="metering"),
        ]
        return self

    @property
    def sessions(self) -> set[str]:
        """Sessions that it serves now."""
        return set(self.worker._by_session)

    def lose_heartbeat(self) -> None:
        """Lets its leases expire while it works on."""
        vars(self.log)["renew"] = lambda *_: asyncio.Event().wait()

    async def kill(self) -> None:
        """Ends it as a crash would: nothing is handed off, nothing more is said."""
        doomed = [*self.tasks, *self.worker._tasks.values()]
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)
        if isinstance(self.engine, LetterEngine):
            self.engine.go.set()
        self.scheduler.close()
        await self.broker.aclose()


@pytest_asyncio.fixture
async def make_transcriber(
    redis: object, shared_broker: BrokerProcess
) -> AsyncIterator[Callable[..., Any]]:
    """Makes transcribers; they are killed with the test if they still live."""
    made: list[Transcriber] = []

    def make(
        url: str = shared_broker.url,
        *,
        engine: Any = None,
        model: str = "letters",
        slots: int = 10,
        lease: float = 60,
        log: type[TranscriberLog] = TranscriberLog,
        segmenter: Callable[[Checkpoint], Segmenter] = SentenceSegmenter,
        interim_seconds: float = 0.0,
        rounds: float = 0.01,
        detector: VoiceDetector | None = None,
    ) -> Transcriber:
        name = secrets.token_hex(4)
        broker = Broker(url, name=name)
        half = log(broker, name, lease=lease, ttl=60)
        engine = engine or LetterEngine(model)
        scheduler, clock = Scheduler(2), BrokerClock()
        metering = Metering(Meter(broker, clock, days=1))
        tools = Tools(
            log=half,
            scheduler=scheduler,
            listening=Listening(scheduler),
            rounds=Rounds(rounds),
            quarantine=Quarantine(half),
            clock=clock,
            metering=metering,
            interim_seconds=interim_seconds,
        )

        engines = Engines([engine])

        def transcribe(claim: Claim) -> Transcription:
            choice = engines.choose(claim.options)
            if detector is None:
                return Transcription(claim, segmenter(claim.checkpoint), choice, tools)
            asked, watch = SegmenterOptions(claim.options.endpointing_ms), SpeechWatch.of(claim)
            capabilities = choice.engine.capabilities
            by_speech = create_segmenter(capabilities, claim.checkpoint, asked, detector, watch)
            return Transcription(claim, by_speech, choice, tools, watch)

        misfits = Misfits(half, Roster(broker), keys.DEFAULT_POOL, engines.have, gone=0.2)
        worker = Worker(half, slots=slots, transcribe=transcribe, misfits=misfits)
        channel = keys.transcriber_channel(name)
        bell = Doorbell(broker, channel, on_ring=worker.ring, on_join=worker.ring_all)
        parts = broker, half, engine, worker, bell, scheduler, clock, metering
        made.append(Transcriber(*parts))
        return made[-1]

    yield make
    for transcriber in made:
        await transcriber.kill()


@dataclass
class Caller:
    """The gateway's side of one session, written entry by entry."""

    log: GatewayLog
    sid: str
    seq: int = 0
    samples: int = 0

    async def say(self, *messages: str) -> None:
        """Appends an entry for each message."""
        for text in messages:
            pcm = speak(text)
            await self._append(EntryKind.AUDIO, pcm=pcm, message_bytes=len(pcm) + 1)

    async def send(self, pcm: bytes) -> None:
        """Appends audio of any length, a tenth of a second an entry."""
        for at in range(0, len(pcm), 3200):
            piece = pcm[at : at + 3200]
            await self._append(EntryKind.AUDIO, pcm=piece, message_bytes=len(piece))

    async def clear(self) -> None:
        """Appends that what is undecided is dropped."""
        await self._append(EntryKind.AUDIO, reason=Reason.END)

    async def finalize(self, reason: Reason = Reason.FINALIZE) -> None:
        await self._append(EntryKind.FINALIZE, reason=reason)

    async def end(self) -> None:
        await self._append(EntryKind.END, reason=Reason.END)

    async def _append(self, kind: EntryKind, **more: Any) -> None:
        entry = Entry(self.seq + 1, kind, self.samples, accepted_ms=1_700_000_000_000, **more)
        outcome, _ = await self.log.append(self.sid, [entry], 1)
        assert outcome == "ok"
        self.seq, self.samples = entry.seq, entry.end_sample

    async def results(self, count: int | None = None, seconds: float = 15) -> list[Recorded]:
        """Waits for so many results, or for the last one."""
        heard: list[Recorded] = []
        async with asyncio.timeout(seconds):
            while len(heard) < count if count is not None else not _over(heard):
                page = await self.log.read_results(self.sid, len(heard))
                heard += page
                if not page:
                    await asyncio.sleep(0.005)
        return heard

    async def epoch(self) -> int:
        progress = await self.log.poll(self.sid)
        assert progress is not None
        return progress.epoch


def _over(results: Sequence[Recorded]) -> bool:
    return bool(results) and isinstance(results[-1], Ended | Failed)


@pytest_asyncio.fixture
async def call(redis: object, shared_broker: BrokerProcess) -> AsyncIterator[Callable[..., Any]]:
    """Opens sessions on the shared, empty broker, or on the one at ``url``."""
    brokers: dict[str, Broker] = {}

    async def open_session(url: str = shared_broker.url, **options: Any) -> Caller:
        broker = brokers.setdefault(url, Broker(url, name="caller"))
        log = GatewayLog(broker, "gw", ttl=60)
        caller = Caller(log, secrets.token_hex(8))
        assert await log.open(caller.sid, SessionOptions(**options))
        return caller

    yield open_session
    for broker in brokers.values():
        await broker.aclose()


@pytest.fixture
def texts() -> Callable[[Sequence[Recorded]], list[str]]:
    """Returns the texts of the finals among results."""
    return lambda results: [r.text for r in results if isinstance(r, Final)]


@pytest.fixture
def by_message() -> LetterEngine:
    """An engine whose segments are client messages."""
    return LetterEngine(segmentation=Segmentation.MESSAGE)
