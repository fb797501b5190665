"""What is logged, counted and traced of one call."""

from __future__ import annotations

import logging
import time

from scripta_common.errors import ScriptaError
from scripta_common.logs import bind
from scripta_common.tracing import trace_of
from scripta_common.wire import Final, Interim
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.sessions.session import Session
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.latency import Delivered, Latency
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
        # Audio of the sessions before.
        self._seconds = 0.0
        self.outcome = Outcome.FAILED

    def opened(self) -> None:
        """Records that the connection stands; what this task logs from here on names it."""
        session, span = self._session, self._session.span
        trace_id = trace_of(span.traceparent or session.options.traceparent)
        bind(session=session.sid, client_id=session.client_id, trace_id=trace_id)
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

    def sent(self, session: Session, result: Final | Interim) -> None:
        """Records a result that has been sent."""
        watch, now = session.stopwatch, time.monotonic()
        if isinstance(result, Interim):
            metrics.INTERIMS.inc()
            if (latency := watch.sent_interim(result, now)) is not None:
                metrics.observe_latency(self._dialect, Delivered.FIRST_INTERIM, latency)
            return
        self._finals += 1
        metrics.FINALS.inc()
        timed = watch.sent(result, now)
        if isinstance(timed, Latency):
            metrics.observe_latency(self._dialect, Delivered.FINAL, timed)
        else:
            metrics.FINALS_UNTIMED[timed].inc()

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

    def closed(self, code: int) -> None:
        """Records that the connection is closed."""
        session, span = self._session, self._session.span
        heard = self._seconds + session.seconds
        span.set(
            {
                "scripta.outcome": self.outcome,
                "scripta.close_code": code,
                "scripta.audio_seconds": heard,
                "scripta.held_back_seconds": session.held_back,
                "scripta.finals": self._finals,
            }
        )
        span.end()
        seconds = round(heard, 1)
        extra = {"code": code, "outcome": self.outcome, "audio_seconds": seconds}
        logger.info("connection closed", extra={**extra, "finals": self._finals})
        metrics.CONNECTIONS[self._dialect].dec()
        metrics.count_close(self._dialect, code)
