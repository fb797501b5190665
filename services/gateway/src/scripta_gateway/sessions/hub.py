"""The hub: what the sessions of one gateway share, and what keeps them supplied with results."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import Final

import msgspec

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.errors import BrokerUnavailable, Draining, Superseded
from scripta_common.loop_lag import watch_loop
from scripta_common.metrics import LOOP_LAG
from scripta_common.sessionlog import Doorbell, GatewayLog, Roster
from scripta_common.wire import Ring, decode_doorbell
from scripta_gateway.admission.admission import Admission
from scripta_gateway.admission.fleet_watch import FleetWatch
from scripta_gateway.admission.places import Places
from scripta_gateway.audio.held import HeldAudio
from scripta_gateway.quotas.quotas import Quotas
from scripta_gateway.sessions.exchange import TAKEN_OVER
from scripta_gateway.sessions.held_sessions import HeldSessions
from scripta_gateway.sessions.opener import Opener
from scripta_gateway.sessions.session import Limits

logger = logging.getLogger(__name__)

_READY_SECONDS: Final = 1.0


class Hub:
    """Brings together what opens sessions, holds them, and hears of their results.

    Args:
        broker: Connection to the broker.
        gateway_id: This gateway's id, unique among all.
        ttl: Seconds the broker keeps a session that nobody touches.
        limits: Bounds of each session.
        max_sessions: Sessions held at once.
        admission: How long and how many may wait for a slot.
        upload_wait: Longest wait of an upload in seconds.
        resume_seconds: How long a session waits for a client whose connection broke.
        drain_spread: Seconds over which a drain spreads its goodbyes, at most.

    Attributes:
        fleet: The transcribers, as this gateway sees them.
        held: The sessions that are held.
        opener: Opens sessions.
        held_audio: Bounds what all sessions hold together.
    """

    def __init__(
        self,
        broker: Broker,
        gateway_id: str,
        *,
        ttl: float,
        limits: Limits,
        max_sessions: int,
        admission: Admission,
        upload_wait: float = 300.0,
        resume_seconds: float = 30.0,
        drain_spread: float = 2.0,
    ) -> None:
        self._broker = broker
        self._drain_spread = drain_spread
        log, roster = GatewayLog(broker, gateway_id, ttl=ttl), Roster(broker)
        self.fleet = FleetWatch(roster, broker.memory)
        self.held = HeldSessions(
            max_sessions,
            broker.ping,
            limits.broker_patience,
            free=lambda seat: self._quotas.leave(seat),
            resume_seconds=resume_seconds,
        )
        self.held_audio = HeldAudio(self.held.by_id.values)
        self._quotas = Quotas(
            broker,
            self.fleet.clock,
            ttl=ttl,
            held=lambda: tuple(self.held.by_id.values()),
            end=self.held.end,
        )
        self._places = Places(
            log,
            roster,
            self.fleet,
            gateway_id,
            admission=admission,
            upload_wait=upload_wait,
            served=self.held.in_line,
        )
        self.opener = Opener(log, limits, self._places, self._quotas, self.held, self.check_ready)
        self._doorbell = Doorbell(
            broker,
            keys.gateway_channel(gateway_id),
            on_ring=self._ring,
            on_join=self._suspect_all,
        )
        # Set when ``run`` has ended by an error: this process can not serve any more.
        self.failed = False

    async def run(self) -> None:
        """Listens and keeps sessions alive until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._doorbell.run(), name="doorbell")
                tasks.create_task(self.held.upkeep.run(), name="upkeep")
                tasks.create_task(self.fleet.run(), name="fleet")
                tasks.create_task(self._places.run(), name="places")
                tasks.create_task(self._quotas.run(), name="quotas")
                tasks.create_task(watch_loop(LOOP_LAG.observe), name="loop-lag")
        finally:
            await self.held.unattended.close()

    async def check_ready(self, *, ask: bool = True) -> None:
        """Raises a ``ScriptaError`` that says why no session can be opened now.

        Args:
            ask: Whether to ask the broker if it answers; false before a call that finds it out.
        """
        if self.held.draining:
            raise Draining("This gateway is going away.")
        try:
            async with asyncio.timeout(_READY_SECONDS):
                if ask:
                    await self._broker.ping()
                await self._doorbell.wait_joined()
                await self.fleet.wait_known()
        except TimeoutError:
            raise BrokerUnavailable from None

    async def drain(self) -> None:
        """Takes no new session and has every connection closed; returns when all are gone.

        See ``HeldSessions.drain``. Then the seats that are left are given back.
        """
        await self.held.drain(self._drain_spread)
        with suppress(BrokerUnavailable):
            await self._quotas.flush()

    def _suspect_all(self) -> None:
        self.held.suspect_all()
        self._quotas.suspect()

    def _ring(self, message: bytes) -> None:
        try:
            said = decode_doorbell(message)
        except msgspec.DecodeError:
            logger.warning("doorbell not understood", extra={"size": len(message)})
            return
        session = self.held.by_id.get(said.sid)
        if session is None:
            return
        if isinstance(said, Ring):
            session.ring(said, self._since(said.sent_at))
        elif session.connection < said.connection:
            self.held.lose(session, Superseded(TAKEN_OVER))

    def _since(self, sent_at: float | None) -> float:
        now = self.fleet.clock.at(time.monotonic())
        return max(0.0, now - sent_at) if now is not None and sent_at is not None else 0.0
