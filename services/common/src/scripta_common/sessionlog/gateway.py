"""The gateway's half of the session log: open, append, poll, read results."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.sessionlog import scripts
from scripta_common.sessionlog.options import SessionOptions
from scripta_common.wire import Checkpoint, Entry, Recorded, decode_recorded

_ASSIGN_TTL_MS = 24 * 3600 * 1000
_RESULTS_PER_READ = 100


class AppendOutcome(StrEnum):
    """What became of an appended entry."""

    OK = "ok"
    DUPLICATE = "duplicate"
    """The log has it already: an earlier call got through although it looked failed."""
    GAP = "gap"
    """An entry before it is missing: the broker lost some."""
    OVER = "over"
    """The session has ended or failed; nothing is accepted any more."""
    LOST = "lost"
    """The broker does not know the session."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a session is, as its state says.

    Attributes:
        over: Whether it has ended or failed.
        seq: Last entry in the log.
        checkpoint: Up to where it is decided.
        index: Last recorded result.
        epoch: Number of times a transcriber has claimed it.
    """

    over: bool
    seq: int
    checkpoint: Checkpoint
    index: int
    epoch: int


class GatewayLog:
    """Session log as one gateway sees it.

    Args:
        broker: Connection to the broker.
        gateway_id: This gateway; results ring on its channel.
        ttl: Seconds after which a session that nobody touches is forgotten.
    """

    def __init__(self, broker: Broker, gateway_id: str, *, ttl: float) -> None:
        self._broker = broker
        self._gateway_id = gateway_id
        self._ttl_ms = int(ttl * 1000)

    async def open(self, sid: str, options: SessionOptions) -> bool:
        """Creates a session and puts it in line; returns whether the id was free."""
        now_ms = int(time.time() * 1000)
        created = await self._broker.run(
            scripts.OPEN,
            [keys.state(sid)],
            self._gateway_id,
            options.encode(),
            now_ms,
            self._ttl_ms,
        )
        if created:
            await self.assign(sid)
        return bool(created)

    async def restore(
        self, sid: str, options: SessionOptions, checkpoint: Checkpoint, index: int
    ) -> None:
        """Writes a lost session anew at a checkpoint and puts it in line; safe to repeat.

        Args:
            sid: The session.
            options: What it was opened with.
            checkpoint: The last one that its gateway knows; entries from there on follow.
            index: Last recorded result up to that checkpoint; those behind it come again.
        """
        await self._broker.run(
            scripts.RESTORE,
            [keys.state(sid), keys.audio(sid), keys.results(sid)],
            self._gateway_id,
            options.encode(),
            int(time.time() * 1000),
            self._ttl_ms,
            checkpoint.sample,
            checkpoint.seq,
            index,
        )
        await self.assign(sid)

    async def assign(self, sid: str) -> None:
        """Puts a session in line for a transcriber; a second entry for it does no harm."""
        await self._broker.execute("XADD", keys.ASSIGN, "*", "sid", sid)
        await self._broker.execute("PEXPIRE", keys.ASSIGN, _ASSIGN_TTL_MS)

    async def append(self, sid: str, entry: Entry) -> tuple[AppendOutcome, int]:
        """Appends one entry and rings the session's owner; safe to repeat.

        Returns:
            What became of it, and the last entry that the log has now.
        """
        outcome, last = await self._broker.run(
            scripts.APPEND,
            [keys.state(sid), keys.audio(sid)],
            entry.seq,
            entry.kind.value,
            entry.first_sample,
            entry.pcm,
            entry.accepted_ms,
            entry.message_bytes,
            entry.reason.value,
            sid,
            keys.transcriber_channel(""),
            self._ttl_ms,
        )
        return AppendOutcome(outcome.decode()), last

    async def poll(self, sid: str) -> Progress | None:
        """Keeps a session alive; returns how far it is, ``None`` if the broker has lost it."""
        state = await self._broker.run(
            scripts.POLL, [keys.state(sid), keys.audio(sid), keys.results(sid)], self._ttl_ms
        )
        if not state:
            return None
        status, seq, sample, checkpoint_seq, index, epoch = state
        return Progress(
            over=status != b"open",
            seq=int(seq),
            checkpoint=Checkpoint(int(sample), int(checkpoint_seq)),
            index=int(index),
            epoch=int(epoch),
        )

    async def read_results(self, sid: str, after: int) -> list[Recorded]:
        """Returns recorded results behind index ``after``, in order, a bounded number."""
        rows = await self._broker.execute(
            "XRANGE", keys.results(sid), f"({after}-0", "+", "COUNT", _RESULTS_PER_READ
        )
        return [decode_recorded(fields[1]) for _, fields in rows]
