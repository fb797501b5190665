"""The hub: all sessions of one gateway, the doorbell they share, and their upkeep."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Coroutine
from typing import Any, Final

import msgspec

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.errors import BrokerUnavailable, Draining, NoCapacity, ScriptaError
from scripta_common.sessionlog import Doorbell, GatewayLog, SessionOptions
from scripta_common.wire import decode_ring
from scripta_gateway import metrics
from scripta_gateway.session import Limits, Session

logger = logging.getLogger(__name__)

_UPKEEP_SECONDS: Final = 1.0
_POLL_OUTSTANDING: Final = 2.0
_POLL_QUIET: Final = 20.0
_READY_SECONDS: Final = 1.0
_LAST_WORDS_SECONDS: Final = 5.0


class Hub:
    """Opens sessions and keeps them supplied with results.

    Args:
        broker: Connection to the broker.
        gateway_id: This gateway's id, unique among all.
        ttl: Seconds the broker keeps a session that nobody touches.
        limits: Bounds of each session.
        max_sessions: Sessions held at once.
    """

    def __init__(
        self, broker: Broker, gateway_id: str, *, ttl: float, limits: Limits, max_sessions: int
    ) -> None:
        self._broker = broker
        self._log = GatewayLog(broker, gateway_id, ttl=ttl)
        self._limits = limits
        self._max_sessions = max_sessions
        self._sessions: dict[str, Session] = {}
        self._polls = asyncio.Semaphore(256)
        self._background: set[asyncio.Task[None]] = set()
        self._doorbell = Doorbell(
            broker,
            keys.gateway_channel(gateway_id),
            on_ring=self._ring,
            on_join=self._suspect_all,
        )
        self._empty = asyncio.Event()
        self._empty.set()
        self.draining = False

    async def run(self) -> None:
        """Listens and keeps sessions alive until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._doorbell.run(), name="doorbell")
            tasks.create_task(self._keep_up(), name="upkeep")

    async def check_ready(self) -> None:
        """Raises a ``ScriptaError`` that says why no session can be opened now."""
        if self.draining:
            raise Draining("This gateway is going away.")
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await self._broker.ping()
                await self._doorbell.wait_joined()
        except TimeoutError:
            raise BrokerUnavailable("The broker does not answer.") from None

    async def open(self, options: SessionOptions) -> Session:
        """Opens a session and puts it in line for a transcriber.

        Raises:
            Draining: This gateway is going away.
            NoCapacity: It holds all the sessions it may.
            BrokerUnavailable: The broker does not answer.
        """
        if self.draining:
            raise Draining("This gateway is going away.")
        if len(self._sessions) >= self._max_sessions:
            raise NoCapacity("This gateway holds as many sessions as it may.")
        await self.check_ready()
        sid = secrets.token_hex(16)
        # 53 bits: what JavaScript holds exactly; random, so that gateways need not agree.
        client_id = secrets.randbits(53) or 1
        session = Session(self._log, sid, client_id, options, self._limits)
        self._hold(session)
        try:
            await self._log.open(sid, options)
        except BaseException:
            self._forget(session)
            raise
        metrics.SESSIONS_OPENED.inc()
        return session

    def leave(self, session: Session) -> None:
        """Forgets a session whose connection is gone; its stream is ended in the log."""
        self._forget(session)
        if not session.over:
            self._spawn(_end(session), f"end-{session.sid}")

    async def drain(self) -> None:
        """Takes no new session and has every connection closed; returns when all are gone."""
        self.draining = True
        for session in tuple(self._sessions.values()):
            session.fail(Draining("This gateway is going away; connect again."))
        await self._empty.wait()
        if self._background:
            await asyncio.wait(self._background, timeout=_LAST_WORDS_SECONDS)

    def _hold(self, session: Session) -> None:
        self._sessions[session.sid] = session
        self._empty.clear()
        metrics.SESSIONS.set(len(self._sessions))

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.sid, None)
        if not self._sessions:
            self._empty.set()
        metrics.SESSIONS.set(len(self._sessions))

    def _ring(self, message: bytes) -> None:
        try:
            ring = decode_ring(message)
        except msgspec.DecodeError:
            logger.warning("doorbell not understood", extra={"size": len(message)})
            return
        session = self._sessions.get(ring.sid)
        if session is not None:
            session.ring(ring)

    def _suspect_all(self) -> None:
        for session in self._sessions.values():
            session.heard_at = float("-inf")

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(_UPKEEP_SECONDS)
            await self.keep_up_once()

    async def keep_up_once(self) -> None:
        """Polls the sessions of which nothing was heard for a while."""
        now = time.monotonic()
        due = [
            session
            for session in self._sessions.values()
            if now - session.heard_at >= (_POLL_OUTSTANDING if session.outstanding else _POLL_QUIET)
        ]
        await asyncio.gather(*(self._poll(session) for session in due))

    async def _poll(self, session: Session) -> None:
        async with self._polls:
            try:
                await session.reconcile()
            except ScriptaError as error:
                logger.warning(
                    "session not reconciled", extra={"session": session.sid, "code": error.code}
                )

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def _end(session: Session) -> None:
    try:
        await session.end()
    except ScriptaError as error:
        logger.warning("end not recorded", extra={"session": session.sid, "code": error.code})
