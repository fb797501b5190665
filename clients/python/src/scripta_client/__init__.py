"""The Scripta client: streams audio to a gateway and yields words.

::

    async with scripta_client.connect("ws://localhost:8000/ws") as session:
        await session.send(audio)
        await session.end()
        async for event in session:
            print(event)
"""

from scripta_client.errors import (
    BadAudioFile,
    CannotConnect,
    ConnectError,
    ConnectionLost,
    InvalidUrl,
    MessageRefused,
    MicrophoneUnavailable,
    ProtocolViolation,
    Refused,
    ResultsUnread,
    ScriptaError,
    ServerSilent,
    SessionError,
    SessionFailed,
)
from scripta_client.events import Ended, Event, Final, GoingAway, Interim, ServerError, Word
from scripta_client.session import Session, connect
from scripta_client.sources import AudioFormat
from scripta_client.streaming import Progress, stream, stream_file

__all__ = [
    "AudioFormat",
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
    "Refused",
    "ResultsUnread",
    "ScriptaError",
    "ServerError",
    "ServerSilent",
    "Session",
    "SessionError",
    "SessionFailed",
    "Word",
    "connect",
    "stream",
    "stream_file",
]
