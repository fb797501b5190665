"""Everything that can go wrong for a client of Scripta, as one tree.

::

    ScriptaError
    ├── InvalidUrl              the address is not one of a gateway (also a ValueError)
    ├── ConnectError            there is no session
    │   ├── CannotConnect       nobody answered: host, port, hint
    │   └── Refused             the gateway answered no: status, message, retry_after
    ├── SessionError            there was a session, and it did not end well
    │   ├── ConnectionLost      the connection closed in mid-stream: code, reason
    │   ├── ReconnectFailed     … and no other came about: seconds, why, unsent_bytes, seconds_lost
    │   ├── SessionLost         … and the server does not have the session: reason, seconds_lost
    │   ├── SessionFailed       the server gave the session up: code, message
    │   ├── MessageRefused      the server refused a part of the audio: message
    │   ├── ServerSilent        nothing was heard for too long: seconds
    │   ├── ProtocolViolation   the peer does not speak the native dialect
    │   └── ResultsUnread       results came and nobody iterated over the session
    ├── BadKey                  what was given is no key
    ├── BadAuthorities          a file of further authorities can not be used
    ├── BadAudioFile            the recording can not be read: path, problem
    ├── ModelsMissing           the package that fetches models is not installed
    └── MicrophoneUnavailable   no microphone, or no library for it: problem

The text of each error is one line that says what to do.
"""

from __future__ import annotations

_ADVICE = {
    1001: "no audio came for too long",
    1006: "the connection broke off",
    1007: "the server could not read the audio",
    1008: "the server does not allow this",
    1009: "a message was too large for the server",
    1011: "the server had an internal error; its log says more",
    1012: "the server is restarting; try again",
    1013: "the server has no capacity; try again later",
}


_REASONS = {
    "unknown": "the server does not know it any more",
    "mid_file": "the connection broke within audio that the server can not take up in the middle",
    "behind": "the server does not keep the results any more that were missed",
    "failed": "it failed on the server",
    "ended": "the server had ended it meanwhile",
    "audio_missing": "audio that was acknowledged is gone",
}


class ScriptaError(Exception):
    """Base of all errors of this package."""


class InvalidUrl(ScriptaError, ValueError):
    """The address is not one of a gateway."""


class BadKey(ScriptaError, ValueError):
    """What was given is no key; the message says what one looks like."""


class BadAuthorities(ScriptaError, ValueError):
    """A file that is to hold certificates of authorities can not be used."""


class ModelsMissing(ScriptaError):
    """The package that fetches models, or one that it needs, is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(
            f"fetching models needs the package {package}: pip install 'scripta-client[models]'; "
            "without it a gateway can be asked for its models: scripta models list --url URL"
        )


class ConnectError(ScriptaError):
    """There is no session: the gateway was not reached or said no."""


class CannotConnect(ConnectError):
    """Nobody answered at the address, or not as a gateway does.

    Attributes:
        host: The host that was tried.
        port: The port that was tried.
        hint: What is the matter and what to do.
    """

    def __init__(self, host: str, port: int, hint: str) -> None:
        super().__init__(f"cannot connect to {host}:{port}: {hint}")
        self.host = host
        self.port = port
        self.hint = hint


class Refused(ConnectError):
    """The gateway answered with an HTTP status in place of a session.

    Attributes:
        status: The HTTP status.
        message: What the server says.
        retry_after: Seconds after which to try again, where the server says so.
        index: The last transcript that the session has, where the client said that it has more.
    """

    def __init__(
        self,
        status: int,
        message: str,
        retry_after: float | None = None,
        index: int | None = None,
    ) -> None:
        again = "" if retry_after is None else f"; try again in {retry_after:g} s"
        super().__init__(f"refused: {message} (HTTP {status}){again}")
        self.status = status
        self.message = message
        self.retry_after = retry_after
        self.index = index


class SessionError(ScriptaError):
    """There was a session, and it did not end well."""


class ConnectionLost(SessionError):
    """The connection closed before everything sent was transcribed.

    Attributes:
        code: The WebSocket close code; 1006 where the peer said none.
        reason: The reason the server gave; may be empty.
    """

    def __init__(self, code: int, reason: str) -> None:
        why = reason or _ADVICE.get(code, "the server ended before the audio was over")
        super().__init__(f"connection closed in mid-stream: {why} (code {code})")
        self.code = code
        self.reason = reason


class ReconnectFailed(SessionError):
    """The connection broke and no other came about in time.

    Attributes:
        seconds: How long it was tried.
        why: Why the last try failed.
        unsent_bytes: Audio that was sent and not acknowledged.
        seconds_lost: Audio that was acknowledged and whose words have not come, at most; ``None``
            where a length is not known.
    """

    def __init__(
        self, seconds: float, why: str, unsent_bytes: int, seconds_lost: float | None
    ) -> None:
        super().__init__(
            f"no connection for {seconds:.0f} s: {why}; "
            f"{unsent_bytes} bytes of audio are not sent, {_lost(seconds_lost)}"
        )
        self.seconds = seconds
        self.why = why
        self.unsent_bytes = unsent_bytes
        self.seconds_lost = seconds_lost


class SessionLost(SessionError):
    """The server does not have the session any more, or not all of it.

    Attributes:
        reason: ``unknown`` (never there, or forgotten), ``mid_file`` (the break fell into a file
            or stream that can only be decoded from its beginning), ``behind`` (the server does not
            keep the results any more that were missed), ``failed``, ``ended`` (the
            server waited for too long), ``session_lost`` (its broker has lost it),
            ``model_gone`` (nobody has its model any more), or ``audio_missing`` (acknowledged
            audio is gone).
        seconds_lost: Audio that was acknowledged and whose words will not come, at most; ``None``
            where a length is not known.
        message: What the server says; empty where it gave no more than the reason.
    """

    def __init__(self, reason: str, seconds_lost: float | None, message: str = "") -> None:
        why = message or _REASONS.get(reason, reason)
        super().__init__(f"the session is lost: {why} ({reason}); {_lost(seconds_lost)}")
        self.reason = reason
        self.seconds_lost = seconds_lost
        self.message = message


class SessionFailed(SessionError):
    """The server gave the session up.

    Attributes:
        code: Stable name of the error.
        message: What the server says.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"session failed: {message} ({code})")
        self.code = code
        self.message = message


class MessageRefused(SessionError):
    """The server refused a part of the audio, so that words would be missing.

    Attributes:
        message: What the server says.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"the server refused audio: {message}")
        self.message = message


class ServerSilent(SessionError):
    """The server owes an answer and has said nothing for too long.

    Attributes:
        seconds: How long it was waited.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer from the server for {seconds:g} s; is a transcriber running?")
        self.seconds = seconds


class ProtocolViolation(SessionError):
    """The peer sent what the native dialect does not allow."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"the server does not speak this dialect: {problem}")
        self.problem = problem


class ResultsUnread(SessionError):
    """Too many results wait because nobody iterates over the session."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} results are unread: iterate over the session while sending")
        self.count = count


class BadAudioFile(ScriptaError):
    """A recording can not be read.

    Attributes:
        path: The file.
        problem: What is the matter and what to do.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"cannot read {path}: {problem}")
        self.path = path
        self.problem = problem


class MicrophoneUnavailable(ScriptaError):
    """There is no microphone, or the library for it is missing.

    Attributes:
        problem: What is the matter and what to do.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"no microphone: {problem}")
        self.problem = problem


def _lost(seconds: float | None) -> str:
    if seconds is None:
        return "words for what was acknowledged may be missing"
    return f"words for at most {seconds:.1f} s of what was acknowledged are missing"
