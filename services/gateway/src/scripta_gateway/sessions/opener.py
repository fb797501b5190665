"""Opening sessions: each gets a seat, a route and a place, and is held from then on.

A seat counts a session for its caller, a route is its pool and model, and a place lets it go in
line. Always true: whoever is refused, or cancelled, leaves none of them behind.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from itertools import zip_longest

import msgspec

from scripta_common.errors import BadRequest, ScriptaError
from scripta_common.sessionlog import GatewayLog, SessionOptions
from scripta_gateway.access.caller import ANONYMOUS, Caller
from scripta_gateway.access.resume_tokens import ResumeToken, make_session_id
from scripta_gateway.admission.places import Places
from scripta_gateway.admission.routing import Route
from scripta_gateway.quotas.quotas import Quotas
from scripta_gateway.quotas.seats import Seat, is_counted
from scripta_gateway.sessions.held_sessions import HeldSessions
from scripta_gateway.sessions.resuming import resume_session
from scripta_gateway.sessions.session import Limits, Session
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.metrics import Outcome
from scripta_gateway.telemetry.tenant_metrics import TENANTS


class Opener:
    """Opens the sessions of one gateway, and takes up those that began on another connection.

    Args:
        log: The session log.
        limits: Bounds of each session.
        places: Who may be heard.
        quotas: What callers may use.
        held: Where sessions are held.
        check_ready: As ``Hub.check_ready``.
    """

    def __init__(
        self,
        log: GatewayLog,
        limits: Limits,
        places: Places,
        quotas: Quotas,
        held: HeldSessions,
        check_ready: Callable[..., Awaitable[None]],
    ) -> None:
        self._log = log
        self._limits = limits
        self._places = places
        self._quotas = quotas
        self._held = held
        self._check_ready = check_ready

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
            options: What is asked of each; all get the same pool and model.
            token: As ``open``, for the first.
            caller: For whom they are.
            count: How many there are.

        Raises:
            ScriptaError: As ``open``.
        """
        await self._check_room(ask=not is_counted(caller))
        first = token.sid if token is not None else make_session_id()
        sids = [first, *(make_session_id() for _ in range(count - 1))]
        seats = await self._quotas.enter(caller, sids)
        opened: list[Session] = []
        try:
            route = await self._route(options, caller)
            for sid, seat in zip_longest(sids, seats):
                opened.append(await self._open(sid, options, route, token, caller, seat))
                token = None
        except BaseException:
            self._quotas.undo(seats)
            for session in opened:
                session.seat = None
                self._held.leave(session, comes_back=False)
            raise
        return tuple(opened)

    async def _open(
        self,
        sid: str,
        options: SessionOptions,
        route: Route,
        token: ResumeToken | None,
        caller: Caller,
        seat: Seat | None,
    ) -> Session:
        place = await self._places.reserve(route.pool, caller, upload=options.upload)
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
        had, caller = session.options, session.caller
        route = await self._route(options, caller)
        place = None
        if route.pool != had.pool or options.upload != had.upload:
            place = await self._places.reserve(route.pool, caller, upload=options.upload)
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
        self._held.leave(before, comes_back=False, outcome=Outcome.COMPLETED)
        options = msgspec.structs.replace(options, traceparent=before.options.traceparent)
        caller = before.caller
        try:
            await self._check_room()
            route = await self._route(options, caller)
            session = await self._open(make_session_id(), options, route, None, caller, seat)
        except BaseException:
            if seat is not None:
                self._quotas.leave(seat)
            raise
        session.span = before.span
        return session

    def heeds_keyterms(self, session: Session) -> bool:
        """Returns whether the model of a session can be given keyterms, as far as is known."""
        return self._places.heeds_keyterms(session.options.pool, session.options.model)

    async def check(self, options: SessionOptions, caller: Caller = ANONYMOUS) -> None:
        """Raises a ``ScriptaError``, as ``open``, if nobody can serve a caller these options."""
        await self._route(options, caller)

    async def rehearse(
        self, options: SessionOptions, caller: Caller = ANONYMOUS, count: int = 1
    ) -> None:
        """Raises what ``open_all`` would raise now; leaves nothing behind, cancelled or not."""
        await self._check_room()
        seats = await self._quotas.enter(caller, [make_session_id() for _ in range(count)])
        try:
            route = await self._route(options, caller)
            place = await self._places.reserve(route.pool, caller, upload=options.upload)
            place.give_back()
        finally:
            self._quotas.undo(seats)

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
            Draining, GatewayFull, BrokerUnavailable: As ``open``.
        """
        await self._check_room()
        sid, digest = token.sid, token.digest(caller.tenant)
        attachment = await self._log.attach(sid, digest, index)
        session = await resume_session(
            self._log, sid, attachment, index, self._limits, caller=caller, token_digest=digest
        )
        session.seat = self._quotas.take_up(caller, sid)
        # Yet another connection may have taken it over meanwhile, here or at another gateway.
        # A notice of that found nobody here: the next upkeep asks the log.
        session.heard_at = float("-inf")
        self._held.hold_newest(session)
        metrics.SESSIONS_RESUMED.inc()
        return session

    async def _check_room(self, *, ask: bool = True) -> None:
        self._held.check_room()
        await self._check_ready(ask=ask)

    async def _route(self, options: SessionOptions, caller: Caller) -> Route:
        return await self._places.route(options.model, options.language, caller)
