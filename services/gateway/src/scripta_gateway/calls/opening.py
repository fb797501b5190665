"""How a call comes to its sessions: opened anew, or taken up where its client comes back."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import msgspec

from scripta_common.sessionlog import AheadOfLog, NotResumable
from scripta_gateway.access.caller import Caller
from scripta_gateway.access.resume_tokens import ResumeToken
from scripta_gateway.calls.handshake import Handshake
from scripta_gateway.dialects.asks import Ahead, Return
from scripta_gateway.dialects.base import Codec
from scripta_gateway.dialects.told import Opened
from scripta_gateway.sessions.hub import Hub
from scripta_gateway.sessions.opener import Opener
from scripta_gateway.sessions.session import Session
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.metrics import ResumeRefusal

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opening:
    """The session that a call begins with.

    Attributes:
        session: The session; of the first channel, if the call comes to have more.
        opened: How it came to the call, as its client is told.
        others: Sessions of the other channels, as far as these are known.
    """

    session: Session
    opened: Opened
    others: tuple[Session, ...] = ()

    def leave(self, hub: Hub) -> None:
        """Gives the sessions back because the call does not begin; of new ones nobody knows."""
        for session in (self.session, *self.others):
            hub.held.leave(session, comes_back=self.opened.resumed)
        self.session.span.end()


async def open_call(hub: Hub, codec: Codec, handshake: Handshake, caller: Caller) -> Opening:
    """Returns the session of a new call.

    Cancelled, it leaves no session that anybody waits for.

    Raises:
        ScriptaError: As ``Opener.open`` and ``Opener.resume``; ``Ahead`` if the client says that it
            has more results than there are.
    """
    reason: str | None = None
    if codec.returns is not None:
        try:
            session = await _resume(hub.opener, codec.returns, caller)
        except NotResumable as error:
            reason = error.reason
        else:
            session.span = handshake.resume(session.options.traceparent)
            return Opening(session, _opened(hub, session, resumed=True))
    span = handshake.begin()
    token = ResumeToken.make() if codec.resumable else None
    options = msgspec.structs.replace(codec.options.session, traceparent=handshake.traceparent)
    session, *others = await hub.opener.open_all(
        options, token, caller, codec.options.format.voices
    )
    session.span = span
    opened = _opened(hub, session, resumed=False, reason=reason, token=token)
    return Opening(session, opened, tuple(others))


async def open_beside(opener: Opener, session: Session, count: int) -> tuple[Session, ...]:
    """Returns sessions of further channels of a call, in the same trace; all or none are opened.

    Cancelled, it leaves none.

    Args:
        opener: Opens them.
        session: The session of the first channel.
        count: How many more there are.

    Raises:
        ScriptaError: As ``Opener.open``.
    """
    return await opener.open_all(session.options, None, session.caller, count)


async def _resume(opener: Opener, returns: Return, caller: Caller) -> Session:
    try:
        return await opener.resume(returns.token, returns.index, caller)
    except NotResumable as error:
        metrics.RESUMES_REFUSED[ResumeRefusal(error.reason)].inc()
        logger.info("session not taken up", extra={"reason": error.reason})
        raise
    except AheadOfLog as error:
        metrics.RESUMES_REFUSED[ResumeRefusal.AHEAD].inc()
        raise Ahead(returns.index, error.index) from None


def _opened(
    hub: Hub,
    session: Session,
    *,
    resumed: bool,
    reason: str | None = None,
    token: ResumeToken | None = None,
) -> Opened:
    return Opened(
        session=session.sid,
        client_id=session.client_id,
        model=session.options.model,
        resumed=resumed,
        received=session.messages,
        resume_seconds=hub.held.resume_seconds,
        reason=reason,
        token=token.reveal() if token is not None else None,
        keyterms=hub.opener.heeds_keyterms(session),
    )
