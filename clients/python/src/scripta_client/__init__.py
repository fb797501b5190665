"""The Scripta client: streams audio to a gateway and yields words.

::

    async with scripta_client.connect("ws://localhost:8000/ws") as session:
        await session.send(audio)
        await session.end()
        async for event in session:
            print(event)
"""

from scripta_client.backoff import Backoff
from scripta_client.connecting import connect
from scripta_client.errors import (
    BadAudioFile,
    CannotConnect,
    ConnectError,
    ConnectionLost,
    InvalidUrl,
    MessageRefused,
    MicrophoneUnavailable,
    ProtocolViolation,
    ReconnectFailed,
    Refused,
    ResultsUnread,
    ScriptaError,
    ServerSilent,
    SessionError,
    SessionFailed,
    SessionLost,
)
from scripta_client.events import (
    Ended,
    Event,
    Final,
    GoingAway,
    Interim,
    Reconnecting,
    Restarted,
    Resumed,
    ServerError,
    Word,
)
from scripta_client.session import Session
from scripta_client.streaming import Progress, Resilience, stream, stream_file
from scripta_client.wire import AudioFormat

__all__ = [
    "AudioFormat",
    "Backoff",
    "BadAudioFile",
    "CannotConnect",
    "ConnectError",
    "ConnectionLost",
    "Ended",
    "Event",
    "Final",
    "GoingAway",
    "Interim",
    "InvalidUrl",
    "MessageRefused",
    "MicrophoneUnavailable",
    "Progress",
    "ProtocolViolation",
    "ReconnectFailed",
    "Reconnecting",
    "Refused",
    "Resilience",
    "Restarted",
    "ResultsUnread",
    "Resumed",
    "ScriptaError",
    "ServerError",
    "ServerSilent",
    "Session",
    "SessionError",
    "SessionFailed",
    "SessionLost",
    "Word",
    "connect",
    "stream",
    "stream_file",
]
