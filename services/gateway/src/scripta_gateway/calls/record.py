"""What is logged, counted and traced of one call."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from scripta_common.errors import ScriptaError
from scripta_common.logs import bind
from scripta_common.tracing import trace_of
from scripta_common.wire import Final, Interim
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.sessions.session import Session
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.latency import Delivered, Latency, Untimed
from scripta_gateway.telemetry.metrics import Outcome

logger = logging.getLogger(__name__)


class CallRecord:
    """The record of one call.

    Args:
        session: The session that it begins with.
        dialect: What its client speaks.

    Attributes:
        outcome: How it ended, as far as that is known.
    """

    def __init__(self, session: Session, dialect: DialectName) -> None:
        self._session = session
        self._dialect = dialect
        self._finals = 0
        # Finals that have not been sent by themselves, and go with what is sent next.
        self._kept = 0
        # Audio of the sessions before.
        self._seconds = 0.0
        self.outcome = Outcome.FAILED

    def opened(self) -> None:
        """Records that the connection stands; what this task logs from here on names it."""
        session, span = self._session, self._session.span
        trace_id = trace_of(span.traceparent or session.options.traceparent)
        bind(session=session.sid, client_id=session.client_id, trace_id=trace_id)
        caller = session.caller
        bind(tenant=caller.tenant or None, key=caller.key or None)
        span.set(
            {
                "scripta.session": session.sid,
                "scripta.client_id": session.client_id,
                "scripta.pool": session.options.pool,
            }
        )
        extra = {"pool": session.options.pool, "resumed": session.connection > 1}
        logger.info("connection opened", extra=extra)
        metrics.CONNECTIONS_OPENED[self._dialect].inc()
        metrics.CONNECTIONS[self._dialect].inc()

    def renewed(self, session: Session) -> None:
        """Records that the call goes on with another session; what is logged from here names it."""
        self._seconds += self._session.seconds
        self._session = session
        bind(session=session.sid)
        logger.info("session renewed", extra={"pool": session.options.pool})

    def interim(self, session: Session, result: Interim) -> None:
        """Records an interim that has been sent."""
        metrics.INTERIMS.inc()
        latency = session.stopwatch.sent_interim(result, time.monotonic())
        if latency is not None:
            metrics.observe_latency(self._dialect, Delivered.FIRST_INTERIM, latency)

    def final(self, session: Session, result: Final, *, at_once: bool) -> None:
        """Records a final that has been sent, or is kept for an answer that has more in it."""
        timed = session.stopwatch.sent(result, time.monotonic())
        if not at_once:
            self._kept += 1
            return
        self._finals += 1
        metrics.FINALS.inc()
        if isinstance(timed, Latency):
            metrics.observe_latency(self._dialect, Delivered.FINAL, timed)
        else:
            metrics.FINALS_UNTIMED[timed].inc()

    def answered(self) -> None:
        """Records that an answer has been sent, with all finals that were kept for it."""
        if not self._kept:
            return
        self._finals += self._kept
        metrics.FINALS.inc(self._kept)
        metrics.FINALS_UNTIMED[Untimed.KEPT].inc(self._kept)
        self._kept = 0

    def refused(self) -> None:
        """Records that a message is refused; the connection goes on."""
        metrics.MESSAGES_REFUSED[self._dialect].inc()

    def failed(self, error: ScriptaError) -> None:
        """Records an error that the client is told; the connection ends with it."""
        if self.outcome is Outcome.FAILED:
            self._session.span.fail(error.code)
            logger.warning("session failed", extra={"code": error.code})
        else:
            self._session.span.event(error.code)
            logger.info("client sent away", extra={"code": error.code})

    def closed(self, code: int, sessions: Sequence[Session]) -> None:
        """Records that the connection is closed, with the sessions of its channels."""
        span = self._session.span
        heard = self._seconds + sum(session.seconds for session in sessions)
        span.set(
            {
                "scripta.outcome": self.outcome,
                "scripta.close_code": code,
                "scripta.audio_seconds": heard,
                "scripta.held_back_seconds": max(session.held_back for session in sessions),
                "scripta.finals": self._finals,
            }
        )
        span.end()
        seconds = round(heard, 1)
        extra: dict[str, object] = {"code": code, "outcome": self.outcome, "audio_seconds": seconds}
        extra |= {"channels": len(sessions), "finals": self._finals}
        logger.info("connection closed", extra=extra)
        metrics.CONNECTIONS[self._dialect].dec()
        metrics.count_close(self._dialect, code)
