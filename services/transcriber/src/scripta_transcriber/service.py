"""The transcriber as a service: start up, work, drain.

Starts in the order that readiness needs (probes, model, broker) and stops in reverse.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from dataclasses import replace

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.errors import BrokerUnavailable
from scripta_common.fleet import Member
from scripta_common.loop_lag import watch_loop
from scripta_common.metrics import LOOP_LAG, export_build
from scripta_common.sessionlog import Claim, Doorbell, Roster, TranscriberLog
from scripta_common.tracing import Tracing
from scripta_common.usage import Meter
from scripta_transcriber.engines import create_engine
from scripta_transcriber.engines.choice import Engines
from scripta_transcriber.lease_trace import LeaseTraces
from scripta_transcriber.listening import Listening
from scripta_transcriber.metering import Metering
from scripta_transcriber.misfits import Misfits
from scripta_transcriber.presence import Presence
from scripta_transcriber.probes import ProbeServer
from scripta_transcriber.quarantine import Quarantine
from scripta_transcriber.rebalancing import Rebalancing
from scripta_transcriber.rounds import Rounds
from scripta_transcriber.scheduler import Scheduler
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter
from scripta_transcriber.segmenter.speech_watch import SpeechWatch
from scripta_transcriber.settings import TranscriberSettings
from scripta_transcriber.sustained import slots_per_thread
from scripta_transcriber.transcription import Tools, Transcription
from scripta_transcriber.worker import Worker

logger = logging.getLogger(__name__)

_READY_SECONDS = 1.0


class TranscriberService:
    """One transcriber process.

    Args:
        settings: The transcriber's settings.
        transcriber_id: Its id, unique among all.
        tracing: Where its spans begin.

    Raises:
        EngineError: There is no engine of that name, or two have models of the same name.
    """

    def __init__(
        self, settings: TranscriberSettings, transcriber_id: str, tracing: Tracing
    ) -> None:
        self._settings = settings
        self._id = transcriber_id
        self._tracing = tracing
        self._engines = Engines(
            [create_engine(name, settings.threads, source) for name, source in settings.engines]
        )
        self._slots = settings.slots or 0  # measured when the engines are loaded
        self._broker = Broker(settings.redis_url, name=f"scripta-transcriber-{self._id}")
        self._log = TranscriberLog(
            self._broker,
            self._id,
            lease=settings.lease_seconds,
            ttl=settings.session_ttl_seconds,
            pool=settings.pool,
        )
        self._roster = Roster(self._broker)
        meter = Meter(self._broker, self._roster.clock, days=settings.usage_days)
        self._metering = Metering(meter)
        self._presence = Presence(self._roster, self._id, self._describe)
        self._scheduler = Scheduler(settings.threads)
        self._behind = Scheduler(settings.threads, behind=True)
        self._worker: Worker | None = None
        self._probes = ProbeServer(
            settings.health_host,
            settings.health_port,
            started=lambda: self._worker is not None,
            readiness=self._readiness,
        )
        self._stop = asyncio.Event()
        export_build("transcriber", settings.scripta_revision)

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT, then drains.

        Raises:
            EngineError: The model can not be loaded; the message names the fix.
            RuntimeError: A part that it can not do without has ended.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        probes = asyncio.create_task(self._probes.serve(), name="probes")
        presence = asyncio.create_task(self._presence.run(), name="presence")
        lag = asyncio.create_task(watch_loop(LOOP_LAG.observe), name="loop-lag")
        metering = asyncio.create_task(self._metering.run(), name="metering")
        serving = asyncio.create_task(self._serve(), name="serve")
        try:
            await _attended(serving, (probes, presence, lag, metering))
        finally:
            # Stopped early, it still hands off what it can.
            for task in (serving, presence, lag, metering):
                task.cancel()
                await asyncio.wait([task])
            await self._metering.close()
            await self._presence.leave()
            self._scheduler.close()
            self._behind.close()
            await self._broker.aclose()
            self._probes.should_exit = True
            await asyncio.wait([probes])
        logger.info("transcriber stopped")

    async def _serve(self) -> None:
        worker = await self._start_worker()
        doorbell = Doorbell(
            self._broker,
            keys.transcriber_channel(self._id),
            on_ring=worker.ring,
            on_join=worker.ring_all,
        )
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(doorbell.run(), name="doorbell")
            working = tasks.create_task(worker.run(), name="worker")
            stopping = tasks.create_task(self._drain_on_stop(worker, working), name="stop")
            await asyncio.wait([working])
            listening.cancel()
            stopping.cancel()

    async def _start_worker(self) -> Worker:
        pool = self._settings.pool
        detector = await self._engines.load({"pool": pool})
        await self._count_slots()
        tools = Tools(
            log=self._log,
            scheduler=self._scheduler,
            listening=Listening(self._scheduler),
            rounds=Rounds(),
            quarantine=Quarantine(self._log),
            clock=self._roster.clock,
            metering=self._metering,
            interim_seconds=self._settings.interim_seconds,
        )

        uploads = replace(tools, scheduler=self._behind, listening=Listening(self._behind))

        def transcribe(claim: Claim) -> Transcription:
            asked, choice = claim.options, self._engines.choose(claim.options)
            options = SegmenterOptions(
                asked.endpointing_ms, asked.language, asked.max_segment_ms, asked.keyterms
            )
            capabilities = choice.engine.capabilities
            watch = SpeechWatch.of(claim)
            segmenter = create_segmenter(capabilities, claim.checkpoint, options, detector, watch)
            work_with = uploads if asked.upload else tools
            return Transcription(claim, segmenter, choice, work_with, watch)

        self._worker = Worker(
            self._log,
            slots=self._slots,
            transcribe=transcribe,
            misfits=Misfits(self._log, self._roster, pool, self._engines.have),
            rebalancing=(
                Rebalancing(self._roster, self._id, pool) if self._settings.rebalance else None
            ),
            settle=self._settings.drain_seconds / 2,
            traces=LeaseTraces(self._tracing, self._id),
        )
        return self._worker

    async def _count_slots(self) -> None:
        threads, interval = self._settings.threads, self._settings.interim_seconds
        if not self._slots:
            each = await slots_per_thread(self._engines, self._scheduler, threads, interval)
            self._slots = each * threads
        logger.info("slots", extra={"slots": self._slots, "threads": threads})

    async def _drain_on_stop(self, worker: Worker, working: asyncio.Task[None]) -> None:
        await self._stop.wait()
        logger.info("transcriber draining")
        try:
            async with asyncio.timeout(self._settings.drain_seconds):
                await worker.drain()
                await asyncio.wait([working])
        except TimeoutError:
            logger.warning("drain incomplete; what is left expires")
            working.cancel()

    def _describe(self) -> Member:
        worker, pool = self._worker, self._settings.pool
        if worker is None or not worker.ready:
            return self._engines.member(pool, 0)
        return self._engines.member(pool, self._slots, worker.finished, worker.uploads)

    async def _readiness(self) -> str | None:
        if self._worker is None:
            return "The model is being loaded."
        if not self._worker.ready:
            return "Not in the group of transcribers, or draining."
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await self._broker.ping(keys.assign(self._settings.pool))
        except (BrokerUnavailable, TimeoutError):
            return "The broker does not answer."
        return None if self._presence.offering else "Its slots are not announced yet."


async def _attended(serving: asyncio.Task[None], attendants: Sequence[asyncio.Task[None]]) -> None:
    """Waits until the service has ended; raises if one of its attendants ends before.

    Without its probes nobody would know how it is, without its presence no gateway would know its
    slots: better to start again than to work on unseen.
    """
    await asyncio.wait((serving, *attendants), return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        ended = next(task for task in attendants if task.done())
        error = None if ended.cancelled() else ended.exception()
        logger.critical("attendant ended", extra={"task": ended.get_name()}, exc_info=error)
        raise RuntimeError(f"the transcriber can not do without its {ended.get_name()}") from error
    await serving
