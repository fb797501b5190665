"""Opens a session: all that can be asked for, and what is made of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal

from scripta_client.backoff import Backoff
from scripta_client.dialer import Dialer
from scripta_client.handshake import PATIENT_PONG_SECONDS, PONG_SECONDS
from scripta_client.protocol import NativeProtocol
from scripta_client.reconnector import Reconnector
from scripta_client.session import Session
from scripta_client.trust import trusting
from scripta_client.wire import Encoding, Options

UNACKNOWLEDGED_BYTES = 262_144
"""Audio that may be on its way by default."""


@asynccontextmanager
async def connect(
    url: str,
    *,
    language: str | None = None,
    model: str | None = None,
    interim_results: bool = False,
    encoding: Encoding | None = None,
    sample_rate: int | None = None,
    channels: int | None = None,
    endpointing: int | None = None,
    max_segment: int | None = None,
    upload: bool = False,
    key: str | None = None,
    headers: Mapping[str, str] | None = None,
    ca_file: str | None = None,
    open_timeout: float = 10.0,
    response_timeout: float = 120.0,
    max_unacknowledged: int = UNACKNOWLEDGED_BYTES,
    reconnect: bool = True,
    reconnect_seconds: float | None = None,
    on_lost: Literal["raise", "continue"] = "raise",
    backoff: Backoff | None = None,
) -> AsyncIterator[Session]:
    """Opens a session with a gateway; leaving the block closes the connection.

    To get the last words, call ``end()`` and iterate until the session is over before you
    leave.

    If the connection breaks, the session connects again and goes on, without a word lost or
    doubled where the audio is ``linear16`` at 16 kHz, mono. What is in any other form can be
    taken up only where the server's decoder had nothing in its hands; else it is a
    ``SessionLost``. The first connection is tried once.

    Args:
        url: Address of the gateway, such as ``ws://localhost:8000/ws``.
        language: BCP-47 tag of the speech.
        model: Model that transcribes, such as ``moonshine``; ``None`` leaves it to the server.
        interim_results: Whether to yield ``Interim`` as well.
        encoding: Encoding of raw audio. ``None`` lets the server find out from the first
            bytes: a file or stream in a container, else 16-bit little-endian samples.
        sample_rate: Samples per second of raw audio (16 000 if not given).
        channels: Channels of raw audio (1 if not given).
        endpointing: Milliseconds of silence that end a segment.
        max_segment: Milliseconds after which speech that goes on is cut, at its quietest place
            before; ``None`` leaves it to what suits the model.
        upload: Whether nobody listens live. Where all slots are taken the server may then let the
            session wait for one, for minutes, instead of refusing it: give it as long a
            ``response_timeout``.
        key: Key or token that the gateway asks for.
        headers: Further HTTP headers, for example for a proxy that asks for them.
        ca_file: PEM file of authorities that are trusted beside the system's; by default that of
            ``SCRIPTA_CA_FILE``.
        open_timeout: Seconds to wait for a connection to open.
        response_timeout: Seconds of silence to bear while the server owes an answer.
        max_unacknowledged: Bytes of audio that may be sent ahead of acknowledgements; as much
            is kept to be sent again.
        reconnect: Whether to connect again after a break.
        reconnect_seconds: For how long to try; by default as long as the server waits.
        on_lost: What to do if the server has lost the session, and words with it: raise a
            ``SessionLost``, or go on in a new one with a ``Restarted`` that says how much.
            Without an ``encoding`` it is always raised: nobody knows how much.
        backoff: The waits between tries.

    Raises:
        BadAuthorities: If ``ca_file`` has no certificates.
        InvalidUrl: If ``url`` is not the address of a host.
        CannotConnect: If nobody answers there.
        Refused: If the gateway takes no session or rejects an option.
    """
    options = Options(
        language=language,
        interim_results=interim_results,
        encoding=encoding,
        sample_rate=sample_rate,
        channels=channels,
        endpointing=endpointing,
        model=model,
        max_segment=max_segment,
        upload=upload or None,
    )
    pong_seconds = PONG_SECONDS if reconnect else PATIENT_PONG_SECONDS
    if key is not None:
        headers = {"Authorization": f"Bearer {key}", **(headers or {})}
    dialer = Dialer(url, options, headers, open_timeout, pong_seconds, trusting(ca_file))
    socket = await dialer.open()
    protocol = NativeProtocol(
        max_unacknowledged, options.format, goes_on_lossy=on_lost == "continue"
    )
    answered = socket.response.headers if socket.response else {}
    client_id = answered.get("scripta-client-id", "")
    protocol.opened(
        answered.get("scripta-session", ""), int(client_id) if client_id.isdigit() else None
    )
    patience = reconnect_seconds if reconnect else 0.0
    reconnector = Reconnector(dialer, protocol, patience, backoff or Backoff())
    async with Session(socket, protocol, reconnector, response_timeout) as session:
        yield session
