"""Errors that services agree on, and what each means to a client.

::

    ScriptaError
    ├── BadRequest            options that can not be served; refused before the upgrade
    ├── Unauthorized          no key, or one that is not known here
    ├── Forbidden             the key is known and does not allow this
    ├── OverLimit             the caller has used what its limits allow
    ├── UnknownModel          no transcriber has the model that was asked for
    ├── BadAudio              audio that can not be decoded; the connection goes on
    ├── AnswerTooLong         a recording has more words than one answer may hold
    ├── TooManyRefusals       the client goes on sending what is refused
    ├── ModelGone             the model of a session is not there any more
    ├── UnsupportedLanguage   no transcriber speaks the language that was asked for
    ├── EngineFailure         the engine failed on a session's audio
    ├── SessionLost           the session is not in the log any more and can not be restored
    ├── Superseded            another connection has taken the session over
    ├── SessionIdle           the client sent nothing for too long
    ├── Draining              this process is going away; another one serves
    ├── GatewayFull           this gateway holds as many sessions as it may; another may not
    ├── NoCapacity            every slot and place in line is taken
    ├── ProviderUnavailable   the identity provider does not say how its tokens are signed
    └── BrokerUnavailable     Redis or Valkey does not answer

Each class has a stable ``code`` (also the metric label), whether a retry can help, and the
WebSocket close code and the HTTP status that fit. A dialect maps them to what its clients
understand.
"""

from __future__ import annotations

from typing import ClassVar


class ScriptaError(Exception):
    """Something a client is told about; the message is written for the client."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    close_code: ClassVar[int] = 1011
    http_status: ClassVar[int] = 500


class BadRequest(ScriptaError):
    """The options of a session can not be served; the message names the option."""

    code = "bad_request"
    close_code = 1008
    http_status = 400


class Unauthorized(ScriptaError):
    """The caller shows no key, or one that is unknown, has expired or was revoked.

    The message never repeats what was shown.
    """

    code = "unauthorized"
    close_code = 1008
    http_status = 401


class Forbidden(ScriptaError):
    """The caller is known, and may not do this; the message says what its key lacks."""

    code = "forbidden"
    close_code = 1008
    http_status = 403


class OverLimit(ScriptaError):
    """The caller has used what its limits allow; others are served.

    Attributes:
        retry_after: Whole seconds until it may be worth to try again.
    """

    code = "over_limit"
    close_code = 1008
    http_status = 429

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnknownModel(ScriptaError):
    """No pool of transcribers has the model; the message names those there are."""

    code = "unknown_model"
    close_code = 1008
    http_status = 400


class ModelGone(ScriptaError):
    """No transcriber has the session's model any more, and it has no other; a new one may."""

    code = "model_gone"
    retryable = True
    close_code = 1012
    http_status = 503


class BadAudio(ScriptaError):
    """Audio can not be decoded; the session goes on with the next message."""

    code = "bad_audio"
    close_code = 1007
    http_status = 400


class AnswerTooLong(ScriptaError):
    """A recording has more words than one answer may hold."""

    code = "answer_too_long"
    close_code = 1008
    http_status = 413


class TooManyRefusals(ScriptaError):
    """The client sends what is refused, again and again, and nothing else."""

    code = "too_many_refusals"
    close_code = 1008
    http_status = 400


class UnsupportedLanguage(ScriptaError):
    """The transcriber's engine does not speak the session's language."""

    code = "unsupported_language"
    close_code = 1008
    http_status = 400


class EngineFailure(ScriptaError):
    """The engine failed on this session's audio, again and again."""

    code = "engine_failure"


class SessionLost(ScriptaError):
    """The session vanished from the log and what remains is not enough to restore it."""

    code = "session_lost"
    retryable = True
    http_status = 503


class Superseded(ScriptaError):
    """A newer connection of the same client has the session; this one must not come back."""

    code = "superseded"
    close_code = 1008
    http_status = 409


class SessionIdle(ScriptaError):
    """The client sent nothing within the idle limit."""

    code = "idle"
    close_code = 1001
    http_status = 408


class Draining(ScriptaError):
    """The gateway is going away; a new connection reaches another one."""

    code = "draining"
    retryable = True
    close_code = 1012
    http_status = 503


class GatewayFull(ScriptaError):
    """The gateway holds as many sessions as it may; another one may have room."""

    code = "gateway_full"
    retryable = True
    close_code = 1013
    http_status = 503


class NoCapacity(ScriptaError):
    """All slots and places in line are taken; try again later."""

    code = "no_capacity"
    retryable = True
    close_code = 1013
    http_status = 503


class ProviderUnavailable(ScriptaError):
    """Nobody can be known by a token now, since the identity provider's keys could not be read."""

    code = "provider_unavailable"
    retryable = True
    close_code = 1013
    http_status = 503

    def __init__(
        self, message: str = "Tokens can not be checked now; try again in some seconds."
    ) -> None:
        super().__init__(message)


class BrokerUnavailable(ScriptaError):
    """The broker does not answer; accepted audio is kept, new audio is not accepted.

    The message is the same for every cause: where the broker is, and what it says, is no business
    of clients. The cause is the exception's ``__cause__``; logs get it by ``describe``.
    """

    code = "broker_unavailable"
    retryable = True
    close_code = 1013
    http_status = 503

    def __init__(
        self, message: str = "The service can not store audio now; try again in some seconds."
    ) -> None:
        super().__init__(message)


def by_code(code: str) -> type[ScriptaError]:
    """Returns the error class with this code; ``ScriptaError`` for an unknown one."""
    return next((cls for cls in ScriptaError.__subclasses__() if cls.code == code), ScriptaError)
