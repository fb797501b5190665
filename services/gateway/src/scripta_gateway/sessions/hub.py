"""The hub: all sessions of one gateway, and the doorbell that they share."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import zip_longest
from typing import Final

import msgspec

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.errors import (
    BadRequest,
    BrokerUnavailable,
    Draining,
    ScriptaError,
    Superseded,
    Unauthorized,
    UnknownModel,
    UnsupportedLanguage,
)
from scripta_common.loop_lag import watch_loop
from scripta_common.metrics import LOOP_LAG
from scripta_common.sessionlog import Doorbell, GatewayLog, Roster, SessionOptions
from scripta_common.wire import Ring, decode_doorbell
from scripta_gateway.access.caller import ANONYMOUS, Caller
from scripta_gateway.access.resume_tokens import ResumeToken, make_session_id
from scripta_gateway.admission.admission import Admission, Route
from scripta_gateway.admission.fleet_watch import FleetWatch
from scripta_gateway.admission.places import Places
from scripta_gateway.admission.pool_places import Place
from scripta_gateway.audio.held import HeldAudio
from scripta_gateway.quotas.quotas import Quotas
from scripta_gateway.quotas.seats import Seat
from scripta_gateway.sessions.exchange import TAKEN_OVER
from scripta_gateway.sessions.held_sessions import HeldSessions
from scripta_gateway.sessions.resuming import resume_session
from scripta_gateway.sessions.session import Limits, Session
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.metrics import Outcome
from scripta_gateway.telemetry.tenant_metrics import TENANTS

logger = logging.getLogger(__name__)

_READY_SECONDS: Final = 1.0
_LAST_WORDS_SECONDS: Final = 5.0
_SPREAD_STEP: Final = 0.02


class Hub:
    """Opens sessions and keeps them supplied with results.

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
        self._log = GatewayLog(broker, gateway_id, ttl=ttl)
        roster = Roster(broker)
        self.fleet = FleetWatch(roster, broker.memory)
        self._places = Places(
            self._log,
            roster,
            self.fleet,
            gateway_id,
            admission=admission,
            upload_wait=upload_wait,
            served=self._served,
        )
        self._limits = limits
        self.resume_seconds = resume_seconds
        self._drain_spread = drain_spread
        self._quotas = Quotas(
            broker,
            self.fleet.clock,
            ttl=ttl,
            held=lambda: tuple(self._held.by_id.values()),
            end=self._end_over_limit,
        )
        self._held = HeldSessions(
            max_sessions, broker.ping, limits.broker_patience, self._quotas.leave
        )
        self.held_audio = HeldAudio(self._held.by_id.values)
        self._doorbell = Doorbell(
            broker,
            keys.gateway_channel(gateway_id),
            on_ring=self._ring,
            on_join=self._suspect_all,
        )
        self.draining = False
        # Set when ``run`` has ended by an error: this process can not serve any more.
        self.failed = False

    async def run(self) -> None:
        """Listens and keeps sessions alive until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._doorbell.run(), name="doorbell")
                tasks.create_task(self._held.upkeep.run(), name="upkeep")
                tasks.create_task(self.fleet.run(), name="fleet")
                tasks.create_task(self._places.run(), name="places")
                tasks.create_task(self._quotas.run(), name="quotas")
                tasks.create_task(watch_loop(LOOP_LAG.observe), name="loop-lag")
        finally:
            await self._held.unattended.close()

    async def check_ready(self) -> None:
        """Raises a ``ScriptaError`` that says why no session can be opened now."""
        if self.draining:
            raise Draining("This gateway is going away.")
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await self._broker.ping()
                await self._doorbell.wait_joined()
                await self.fleet.wait_known()
        except TimeoutError:
            raise BrokerUnavailable from None

    async def open(
        self,
        options: SessionOptions,
        token: ResumeToken | None = None,
        caller: Caller = ANONYMOUS,
    ) -> Session:
        """Opens a session with a place in its pool; it goes in line with its first audio.

        Args:
            options: What is asked of it.
            token: By which its client can take it up again; ``None``: nobody can.
            caller: For whom it is.

        Raises:
            Forbidden: The caller may not use the model.
            Draining, GatewayFull: This gateway is going away, or holds all the sessions it may.
            UnknownModel, UnsupportedLanguage: There is no such model, or it does not speak the
                language.
            NoCapacity: It would not be served in time.
            OverLimit: The caller has used what its limits allow.
            BrokerUnavailable: The broker does not answer.
        """
        (session,) = await self.open_all(options, token, caller)
        return session

    async def open_all(
        self,
        options: SessionOptions,
        token: ResumeToken | None = None,
        caller: Caller = ANONYMOUS,
        count: int = 1,
    ) -> tuple[Session, ...]:
        """Opens the sessions of a call, one a channel: all or none; cancelled, none.

        Args:
            options: What is asked of the first; the others get its pool and model.
            token: As ``open``, for the first.
            caller: For whom they are.
            count: How many there are.

        Raises:
            ScriptaError: As ``open``.
        """
        await self._check_room()
        first = token.sid if token is not None else make_session_id()
        sids = [first, *(make_session_id() for _ in range(count - 1))]
        seats = await self._quotas.enter(caller, sids)
        opened: list[Session] = []
        try:
            for sid, seat in zip_longest(sids, seats):
                opened.append(await self._open(sid, options, token, caller, seat))
                options, token = opened[0].options, None
        except BaseException:
            self._quotas.undo(seats)
            for session in opened:
                session.seat = None
                self.leave(session, comes_back=False)
            raise
        return tuple(opened)

    async def _open(
        self,
        sid: str,
        options: SessionOptions,
        token: ResumeToken | None,
        caller: Caller,
        seat: Seat | None,
    ) -> Session:
        route, place = await self._reserve(options, caller)
        try:
            self._held.make_room()
        except ScriptaError:
            place.give_back()
            raise
        digest = token.digest(caller.tenant) if token is not None else ""
        # 53 bits: what JavaScript holds exactly; random, so that gateways need not agree.
        number = secrets.randbits(53) or 1
        options = msgspec.structs.replace(
            options,
            client_id=number,
            pool=route.pool,
            model=route.model,
            tenant=caller.tenant,
            key=caller.key,
        )
        session = Session(
            self._log, sid, options, self._limits, place=place, caller=caller, token_digest=digest
        )
        session.seat = seat
        self._held.hold_new(session)
        self._greet(session)
        metrics.SESSIONS_OPENED.inc()
        TENANTS.opened(options.tenant)
        return session

    async def configure(self, session: Session, options: SessionOptions) -> None:
        """Gives other options to a session that nothing was entered into; its number stays.

        Cancelled or refused, the session keeps the options that it had.

        Args:
            session: The session.
            options: What is asked of it now.

        Raises:
            BadRequest: Its client has sent audio.
            Forbidden, UnknownModel, UnsupportedLanguage, NoCapacity, BrokerUnavailable: As
                ``open``.
        """
        if session.spoken:
            raise BadRequest("The options are fixed once audio was sent; open a new connection.")
        had = session.options
        route = await self._route(options, session.caller)
        place: Place | None = None
        if route.pool != had.pool or options.upload != had.upload:
            route, place = await self._reserve(options, session.caller)
        options = msgspec.structs.replace(
            options,
            client_id=had.client_id,
            traceparent=had.traceparent,
            pool=route.pool,
            model=route.model,
            tenant=had.tenant,
            key=had.key,
        )
        session.configure(options, place)

    async def renew(self, before: Session, options: SessionOptions) -> Session:
        """Opens a session for the client of one that is over, in its seat and its trace.

        Args:
            before: The session that is over.
            options: What is asked of the new one.

        Raises:
            ScriptaError: As ``open``.
        """
        seat, before.seat = before.seat, None
        self.leave(before, comes_back=False, outcome=Outcome.COMPLETED)
        options = msgspec.structs.replace(options, traceparent=before.options.traceparent)
        try:
            await self._check_room()
            session = await self._open(make_session_id(), options, None, before.caller, seat)
        except BaseException:
            if seat is not None:
                self._quotas.leave(seat)
            raise
        session.span = before.span
        return session

    async def check(self, options: SessionOptions, caller: Caller = ANONYMOUS) -> None:
        """Raises a ``ScriptaError``, as ``open``, if nobody can serve a caller these options."""
        await self._route(options, caller)

    async def _route(self, options: SessionOptions, caller: Caller) -> Route:
        """Returns where a session goes; one that names no model gets one that its caller may use.

        Raises:
            Forbidden: The caller may not use the model.
            UnknownModel, UnsupportedLanguage, NoCapacity: As ``Places.route``.
        """
        if options.model is not None or not caller.models:
            route = await self._places.route(options.model, options.language)
            caller.check_model(route.model or options.model)
            return route
        *others, last = caller.models
        for model in others:
            with suppress(UnknownModel, UnsupportedLanguage):
                return await self._places.route(model, options.language)
        return await self._places.route(last, options.language)

    async def _reserve(self, options: SessionOptions, caller: Caller) -> tuple[Route, Place]:
        route = await self._route(options, caller)
        model = route.model or options.model
        return await self._places.reserve(model, options.language, caller, upload=options.upload)

    async def resume(self, token: ResumeToken, index: int, caller: Caller = ANONYMOUS) -> Session:
        """Takes up a session for a client that comes back; the newest connection has it.

        Args:
            token: The client's.
            index: Last result that the client has.
            caller: Who comes back; another tenant than the session's finds no such session.

        Raises:
            NotResumable: The session can not be taken up; a new one can be opened.
            AheadOfLog: The client says that it has more results than there are; whoever has the
                session still has it.
            Draining, GatewayFull, OverLimit, BrokerUnavailable: As ``open``; it keeps the seat that
                it has, whatever the limits.
        """
        await self._check_room()
        sid, digest = token.sid, token.digest(caller.tenant)
        seats = await self._quotas.enter(caller, [sid])
        try:
            attachment = await self._log.attach(sid, digest, index)
            session = await resume_session(
                self._log, sid, attachment, index, self._limits, caller=caller, token_digest=digest
            )
        except BaseException:
            self._quotas.undo(seats)
            raise
        session.seat = seats[0] if seats else None
        # Yet another connection may have taken it over meanwhile, here or at another gateway.
        # A notice of that found nobody here: the next upkeep asks the log.
        session.heard_at = float("-inf")
        self._held.hold_newest(session)
        self._greet(session)
        metrics.SESSIONS_RESUMED.inc()
        return session

    def _greet(self, session: Session) -> None:
        if self.draining:  # it was on its way here when the drain told all others
            session.fail(_farewell())

    def leave(
        self, session: Session, *, comes_back: bool, outcome: Outcome = Outcome.ABANDONED
    ) -> None:
        """Takes back a session whose connection is gone.

        Args:
            session: The session.
            comes_back: Whether its client may come back. Then it is kept for a while (on a drain
                by the log alone) if it has ever been in line; otherwise its stream is ended as
                soon as there is room for it.
            outcome: How it came to that.
        """
        if self._held.by_id.get(session.sid) is not session:
            return  # another connection has it
        comes_back = comes_back and session.in_line
        # That of a session which another connection has is that one's to end.
        if session.over or not session.in_log or outcome is Outcome.SUPERSEDED:
            self._held.part(session, outcome)
        elif comes_back and self.draining:
            self._held.part(session, Outcome.HANDED_OVER)
        elif comes_back:
            self._held.keep_unattended(session, wait=self.resume_seconds)
        else:
            self._held.keep_unattended(session, outcome)

    async def drain(self) -> None:
        """Takes no new session and has every connection closed; returns when all are gone.

        1. New sessions are refused from the first moment.
        2. Sessions that wait for their client are left to the log.
        3. Connections are told to go, spread out so that they do not all come back at once.
        4. What has to be written still is written.
        """
        self.draining = True
        for session in self._held.unattended.waiting:
            self._held.part(session, Outcome.HANDED_OVER)
        sessions = tuple(self._held.by_id.values())
        spread = min(self._drain_spread, _SPREAD_STEP * len(sessions))
        loop = asyncio.get_running_loop()
        for place, session in enumerate(sessions):
            loop.call_later(spread * place / len(sessions), session.fail, _farewell())
        await self._held.wait_quiet()
        await self._held.unattended.settle(_LAST_WORDS_SECONDS)
        with suppress(BrokerUnavailable):
            await self._quotas.flush()

    def dismiss(self, admitted: Callable[[Caller], bool]) -> None:
        """Ends the sessions of all callers that are not admitted any more."""
        for session in tuple(self._held.by_id.values()):
            if not admitted(session.caller):
                self._held.lose(session, Unauthorized("This key was revoked, or has expired."))

    async def keep_up_once(self) -> None:
        """Polls the sessions of which nothing was heard for a while; see ``Upkeep.run_once``."""
        await self._held.upkeep.run_once()

    def audio_lags(self) -> list[float]:
        """Returns of each session the seconds of audio accepted and not yet decided."""
        return [session.undecided_seconds for session in self._held.by_id.values()]

    def tenants(self) -> list[str]:
        """Returns the tenant of each session that is held."""
        return [session.options.tenant for session in self._held.by_id.values()]

    async def _check_room(self) -> None:
        if self.draining:
            raise Draining("This gateway is going away.")
        self._held.check_room()
        await self.check_ready()

    def _served(self, pool: str) -> Counter[str]:
        """Returns how many sessions each tenant has in a pool's line."""
        return Counter(
            session.options.tenant
            for session in self._held.by_id.values()
            if session.options.pool == pool and session.in_line and not session.over
        )

    def _suspect_all(self) -> None:
        self._held.suspect_all()
        self._quotas.suspect()

    def _end_over_limit(self, session: Session, error: ScriptaError) -> None:
        if session not in self._held.unattended:  # nothing more comes of one without a connection
            session.fail(error)

    def _ring(self, message: bytes) -> None:
        try:
            said = decode_doorbell(message)
        except msgspec.DecodeError:
            logger.warning("doorbell not understood", extra={"size": len(message)})
            return
        session = self._held.by_id.get(said.sid)
        if session is None:
            return
        if isinstance(said, Ring):
            session.ring(said, self._since(said.sent_at))
        elif session.connection < said.connection:
            self._held.lose(session, Superseded(TAKEN_OVER))

    def _since(self, sent_at: float | None) -> float:
        now = self.fleet.clock.at(time.monotonic())
        return max(0.0, now - sent_at) if now is not None and sent_at is not None else 0.0


def _farewell() -> Draining:
    return Draining("This gateway is going away; connect again.")
