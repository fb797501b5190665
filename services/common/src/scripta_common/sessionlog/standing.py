"""Where a session stands: what its log tells gateways of it, and what they tell the log."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scripta_common.sessionlog.options import SessionOptions
from scripta_common.wire import Checkpoint, Intake


class AppendOutcome(StrEnum):
    """What became of entries that were to be appended."""

    OK = "ok"
    """The log has all of them; a part of them it may have had before."""
    DUPLICATE = "duplicate"
    """The log had all of them: an earlier call got through although it looked failed."""
    GAP = "gap"
    """An entry before the first is missing: the broker lost some."""
    OVER = "over"
    """The session has ended or failed; nothing is accepted any more."""
    LOST = "lost"
    """The broker does not know the session."""
    SUPERSEDED = "superseded"
    """Another connection has the session."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a session is, as its state says.

    Attributes:
        over: Whether it has ended or failed.
        seq: Last entry in the log.
        checkpoint: Up to where it is decided.
        index: Last recorded result.
        epoch: Number of times a transcriber has claimed it.
        owner: The transcriber that has it; empty for none.
        connection: Number of the connection that has it.
    """

    over: bool
    seq: int
    checkpoint: Checkpoint
    index: int
    epoch: int
    owner: str = ""
    connection: int = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a gateway stands with a session: what it can write anew.

    Attributes:
        checkpoint: The last one that it knows; it has kept the entries from there on.
        index: Last recorded result up to that checkpoint.
        samples: Session sample at which the first kept entry starts.
        intake: What of the client was in the log up to there.
        connection: Number of its connection.
        spoken: Session sample at which the last segment of speech up to that checkpoint ends.
    """

    checkpoint: Checkpoint
    index: int
    samples: int
    intake: Intake
    connection: int
    spoken: int = 0


@dataclass(frozen=True, slots=True)
class Attachment:
    """A session that a new connection has taken over.

    Attributes:
        former_gateway: Gateway that had it.
        connection: Number of the new connection.
        status: ``open`` or ``ended``.
        options: What it was opened with.
        seq: Last entry in the log.
        samples: Session sample at which the next entry starts.
        intake: What of the client is in the log.
        checkpoint: Up to where it is decided.
        index: Last recorded result.
    """

    former_gateway: str
    connection: int
    status: str
    options: SessionOptions
    seq: int
    samples: int
    intake: Intake
    checkpoint: Checkpoint
    index: int


class NotResumable(Exception):
    """A session can not be taken up by another connection.

    Attributes:
        reason: ``unknown`` (never there, forgotten, or not by this token); ``failed``; ``mid_file``
            (its audio broke off where only the decoder of then could go on); ``behind`` (results
            that its client has not got are kept no more).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AheadOfLog(Exception):
    """A client says that it has more results than the log; nothing has changed.

    Attributes:
        index: The last one that a client can have.
    """

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


class LineFull(Exception):
    """A new session finds no place in its pool's line; nothing is left of it."""
