"""The native dialect at ``/ws``: maps its frames to a session and results to its frames."""

from __future__ import annotations

import logging
from typing import Final as Constant

from starlette.websockets import WebSocket

from scripta_common.errors import (
    BadAudio,
    BadRequest,
    Draining,
    ScriptaError,
    UnknownModel,
    UnsupportedLanguage,
)
from scripta_common.sessionlog import AheadOfLog, NotResumable
from scripta_common.tracing import Tracing
from scripta_common.wire import Final, Interim
from scripta_gateway.access.tokens import ResumeToken
from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.doubt import Doubt, warning
from scripta_gateway.calls.connection import Connection, ConnectionLimits
from scripta_gateway.calls.handshake import Handshake
from scripta_gateway.dialects import native_frames as frames
from scripta_gateway.dialects.refusal import refuse
from scripta_gateway.sessions.hub import Hub
from scripta_gateway.sessions.session import Session
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.metrics import Dialect, ResumeRefusal
from scripta_gateway.transports.events import Oversized

logger = logging.getLogger(__name__)

_CLIENTS_OWN: Constant = (BadRequest, UnknownModel, UnsupportedLanguage)
"""Errors that the same request would meet again."""


class NativeConnection(Connection):
    """A client that speaks the native dialect.

    Attributes:
        query: What it asked for.
        opening: What it is told first if it wants events.
    """

    dialect = Dialect.NATIVE
    query: frames.Query
    opening: frames.Opening

    async def on_open(self) -> None:
        """Names the session to a client that wants events, and tells how to come back to it."""
        if self.query.events:
            await self.send(self.opening.frame())
            self.can_come_back = True

    async def on_audio(self, message: bytes) -> None:
        """Accepts or refuses an audio message; either way the client hears of it."""
        if not message:
            self._refuse("Audio data is empty")
        elif self.session.ending:
            self._refuse("The stream has ended; open a new connection for more audio")
        else:
            try:
                await self.enter_audio(message)
            except BadAudio as error:
                await self.on_bad_audio(error)
            else:
                self.inflow.accept(frames.received(len(message)))

    async def on_oversized(self, message: Oversized) -> None:
        """Refuses a message that was too large."""
        what = "Message" if message.is_text else "Audio data"
        self._refuse(f"{what} too large (max {message.limit} bytes)")

    async def on_text(self, text: str) -> None:
        """Carries out a command."""
        try:
            command = frames.parse_command(text)
        except frames.BadFrame as error:
            self._refuse(str(error))
            return
        if command is frames.Command.END:
            await self.end()
        elif command is frames.Command.FINALIZE and not self.session.ending:
            await self.finalize()

    async def on_bad_audio(self, error: BadAudio) -> None:
        """Refuses what could not be decoded."""
        self._refuse(f"Audio cannot be decoded: {error}")

    async def on_doubt(self, doubt: Doubt) -> None:
        """Warns a client that wants events."""
        if self.query.events:
            await self.send(frames.warning(warning(doubt)))

    async def on_result(self, result: Final | Interim) -> bool:
        """Sends a transcript or, if asked for, an interim."""
        if isinstance(result, Final):
            await self.send(frames.transcript(self.session.client_id, result))
        elif self.query.interim_results:
            await self.send(frames.interim(self.session.client_id, result))
        else:
            return False
        return True

    async def on_end(self) -> None:
        """Says how long the stream was to a client that wants events."""
        if self.query.events:
            await self.send(frames.ended(self.session.seconds))

    async def on_failure(self, error: ScriptaError) -> None:
        """Says what went wrong, or that the gateway is going away."""
        if not isinstance(error, Draining):
            await self.send(frames.failed(error))
        elif self.query.events:
            await self.send(frames.going_away(self.session.messages))

    def _refuse(self, message: str) -> None:
        self.inflow.refuse(frames.refused(message))


async def serve_native(
    websocket: WebSocket,
    hub: Hub,
    limits: ConnectionLimits,
    budget: StreamBudget,
    tracing: Tracing,
) -> None:
    """Serves one client of ``/ws`` from the handshake to the close."""
    handshake = Handshake(websocket, tracing, "native")
    try:
        query = frames.Query.parse(websocket.query_params.multi_items())
        session, opening = await _open(hub, query, handshake)
    except ScriptaError as error:
        status = 400 if isinstance(error, _CLIENTS_OWN) else 503
        await refuse(websocket, handshake, error, status, frames.not_opened(error))
        return
    try:
        headers = {
            "scripta-session": session.sid,
            "scripta-client-id": str(session.client_id),
            **handshake.headers,
        }
        await websocket.accept(
            headers=[(name.encode(), value.encode()) for name, value in headers.items()]
        )
    except BaseException:
        hub.leave(session, comes_back=opening.resumed)  # of a new one, nobody has the token
        session.span.end()
        raise
    decoder = AudioDecoder(
        AudioFormat(
            encoding=query.encoding, sample_rate=query.sample_rate, channels=query.channels
        ),
        budget=budget,
    )
    connection = NativeConnection(websocket, hub, session, decoder, limits)
    connection.query = query
    connection.opening = opening
    connection.can_come_back = opening.resumed
    await connection.run()


async def _open(
    hub: Hub, query: frames.Query, handshake: Handshake
) -> tuple[Session, frames.Opening]:
    reason: str | None = None
    if query.resume is not None:
        try:
            session = await _resume(hub, query.resume, query.from_)
        except NotResumable as error:
            reason = error.reason
        else:
            session.span = handshake.resume(session.options.traceparent)
            return session, _opening(hub, session, resumed=True)
    span = handshake.begin()
    token = ResumeToken.make() if query.events else None
    session = await hub.open(query.options(handshake.traceparent), token, upload=query.upload)
    session.span = span
    return session, _opening(hub, session, resumed=False, reason=reason, token=token)


async def _resume(hub: Hub, token: ResumeToken, index: int) -> Session:
    try:
        return await hub.resume(token, index)
    except NotResumable as error:
        metrics.RESUMES_REFUSED[ResumeRefusal(error.reason)].inc()
        logger.info("session not taken up", extra={"reason": error.reason})
        raise
    except AheadOfLog as error:
        metrics.RESUMES_REFUSED[ResumeRefusal.AHEAD].inc()
        raise frames.FromAhead(index, error.index) from None


def _opening(
    hub: Hub,
    session: Session,
    *,
    resumed: bool,
    reason: str | None = None,
    token: ResumeToken | None = None,
) -> frames.Opening:
    return frames.Opening(
        session=session.sid,
        client_id=session.client_id,
        resumed=resumed,
        received=session.messages,
        resume_seconds=hub.resume_seconds,
        reason=reason,
        token=token.reveal() if token is not None else None,
    )
