"""The system under a measured load: the transcriber on cores of its own, the rest on the others.

On a machine with two cores, gateway, broker and all clients share the core that is left. What
they use of it stands beside each result: near 1 they are what limits it. A transcriber that is
given all cores shares them with the rest.
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from redis.asyncio import Redis

from cost import used
from deck import Piece
from engine_log import Task, read_log
from interim_designs import INTERVAL_SECONDS, Interims
from memory import until_gone
from own_share import own_shares
from scripta_local.stack import Commands, Stack
from talkers import Talker, Tally, connect, speak

SETTLE_SECONDS = 8.0
CLOSE_SECONDS = 30.0
DISTURBED = 1.2
"""Time of the engine's calls, as a multiple of the transcriber's processor time."""


@dataclass(frozen=True, slots=True)
class Level:
    """What was measured with a number of sessions.

    Attributes:
        sessions: The number.
        tally: What the clients saw.
        transcriber: Cores that the transcriber used.
        others: Cores that gateway, broker and clients used together.
        engine: Share of the time for which detector and engine were at work, by task.
        own: Seconds of each final's latency in which no engine was at work.
    """

    sessions: int
    tally: Tally
    transcriber: float
    others: float
    engine: Mapping[Task, float]
    own: Sequence[float] = ()

    @property
    def finals(self) -> list[float]:
        """Latencies of finals in seconds."""
        return [delivery.latency for delivery in self.tally.finals]

    @property
    def interims(self) -> float:
        """Interims, as a share of those that the bare engine makes of the same audio."""
        return self.tally.interims / max(1, self.tally.interims_due)

    @property
    def disturbed(self) -> bool:
        """Whether the engine waited for processors that something else used: figures are void."""
        return sum(self.engine.values()) > DISTURBED * self.transcriber

    @property
    def stable(self) -> float:
        """Share of an interim's words that are stable, beside that of the bare engine."""
        tally = self.tally
        if not tally.interims or not tally.stable_due:
            return math.nan
        return (tally.stable / tally.interims) / (tally.stable_due / tally.interims_due)


def quantile(values: Sequence[float], share: float) -> float:
    """Returns the least value that at least a share of all do not exceed; NaN without any."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def cores_for(threads: int) -> list[int]:
    """Returns the cores of a transcriber with so many threads: the last ones."""
    cores = sorted(os.sched_getaffinity(0))
    if threads > len(cores):
        raise SystemExit(f"There are only {len(cores)} cores.")
    return cores[-threads:]


class Rig:
    """A running system to be put under load.

    Args:
        stack: The system, with one transcriber.
        threads: Of the transcriber.
        log: Where the work of its engine is written down.
        language: What its sessions ask for; ``None`` for nothing.

    Attributes:
        stack: The system.
    """

    def __init__(self, stack: Stack, threads: int, log: Path, language: str | None = None) -> None:
        self.stack = stack
        self._threads = threads
        self._log = log
        self._language = language

    async def level(
        self, deck: Iterator[Piece], sessions: int, seconds: float, settle: float = SETTLE_SECONDS
    ) -> Level:
        """Returns what so many live sessions see, who begin one after the other."""
        tally, talkers = Tally(), list[Talker]()
        speaking = asyncio.create_task(speak(talkers), name="speak")
        for _ in range(sessions):
            talkers.append(await connect(self.stack.ws_url, deck, tally, language=self._language))
            await asyncio.sleep(settle / 2 / sessions)
        await asyncio.sleep(settle / 2)
        level = await self.watch(tally, sessions, seconds)
        speaking.cancel()
        await self.end(talkers)
        return self.with_own(level)

    async def watch(self, tally: Tally, sessions: int, seconds: float) -> Level:
        """Returns what goes on for some seconds."""
        tally.since, before = time.perf_counter(), self._used()
        await asyncio.sleep(seconds)
        until, after = time.perf_counter(), self._used()
        passed = until - tally.since
        transcriber, others = ((now - was) / passed for now, was in zip(after, before, strict=True))
        engine = dict.fromkeys(Task, 0.0)
        for work in read_log(self._log):
            if tally.since <= work.began <= until:
                engine[work.task] += (work.ended - work.began) / passed
        return Level(sessions, tally, transcriber, others, engine)

    def with_own(self, level: Level) -> Level:
        """Returns the level with the share of the system, once all finals are here."""
        works = read_log(self._log)
        return replace(level, own=own_shares(level.tally.finals, works, self._threads))

    async def end(self, talkers: Sequence[Talker]) -> None:
        """Ends sessions and returns when their transcriber has let go of them."""
        for talker in talkers:
            talker.end()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                for talker in talkers:
                    await talker.over.wait()
        except TimeoutError:
            for talker in talkers:
                talker.leave()
        redis = Redis.from_url(self.stack.redis_url, protocol=3, legacy_responses=False)
        await until_gone(redis)
        await redis.aclose()

    def _used(self) -> tuple[float, float]:
        """Returns the processor time of the transcriber, and of everything else."""
        stack = self.stack
        assert stack.gateway is not None
        assert stack.broker is not None
        assert stack.broker.pid is not None
        (transcriber,) = stack.transcribers
        assert transcriber is not None
        others = used(stack.gateway) + used(stack.broker.pid) + time.process_time()
        return used(transcriber), others


@asynccontextmanager
async def rig(
    threads: int,
    design: Interims = Interims.SCRIPTA,
    slots: int | None = 200,
    *,
    engine: str = "moonshine",
    model: str = "",
    language: str | None = None,
) -> AsyncIterator[Rig]:
    """Runs the system, with one transcriber on the last cores and all else on the others.

    Args:
        threads: Of the transcriber.
        design: How it makes interims.
        slots: Its slots; ``None`` for those that it finds by itself.
        engine: Its engine; another than the default only with the default design.
        model: The model of the engine.
        language: What sessions ask for.
    """
    everywhere = os.sched_getaffinity(0)
    own = cores_for(threads)
    os.sched_setaffinity(0, everywhere - set(own) or everywhere)
    try:
        with TemporaryDirectory() as folder:
            log = Path(folder) / "engine.log"
            log.touch()
            watched = Path(__file__).with_name("watched_transcriber.py")
            bound = ",".join(map(str, own))
            commands = Commands(transcriber=(sys.executable, str(watched), str(log), bound, design))
            env = {
                "THREADS": str(threads),
                "INTERIM_SECONDS": str(INTERVAL_SECONDS),
                "MODEL": model,
            }
            if slots is not None:
                env["SLOTS"] = str(slots)
            async with Stack(engine=engine, restart=False, env=env, commands=commands) as stack:
                yield Rig(stack, threads, log, language)
    finally:
        os.sched_setaffinity(0, everywhere)
