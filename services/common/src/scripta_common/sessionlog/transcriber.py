"""The transcriber's half of the session log: claim, read audio, commit, let go.

The epoch that a claim gives goes with every commit, so an owner that has lost its lease without
noticing is refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.sessionlog import scripts
from scripta_common.sessionlog.checkpoints import marked_checkpoint, speaking_mark
from scripta_common.sessionlog.entries import read_entries
from scripta_common.sessionlog.leasing import Assignment, Leasing
from scripta_common.sessionlog.options import SessionOptions
from scripta_common.wire import (
    Checkpoint,
    Ended,
    Entry,
    Failed,
    Interim,
    Origin,
    Recorded,
    Ring,
    Speech,
    encode,
    spoken_until,
)


class Fenced(Exception):
    """Another transcriber owns the session now; whatever was to be done is not ours any more."""


class SessionGone(Exception):
    """The broker does not know the session any more."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Ownership of a session.

    Attributes:
        sid: The session.
        entry_id: The pending entry that is the lease.
        epoch: Fencing token.
        checkpoint: Where to go on from.
        index: Last recorded result.
        spoken: Sample at which the last segment of speech ends, for sessions that ask about
            silence; 0 if nobody has spoken.
        options: What the client asked for.
        attempts: Claims since the session last moved on, this one included.
        former_span: Id of the span of the lease before this one; empty if there was none.
    """

    sid: str
    entry_id: bytes
    epoch: int
    checkpoint: Checkpoint
    index: int
    options: SessionOptions
    attempts: int = 1
    former_span: str = ""
    spoken: int = 0


class TranscriberLog(Leasing):
    """Session log as one transcriber sees it.

    Args:
        broker: Connection to the broker.
        transcriber_id: This transcriber: its consumer name and doorbell.
        lease: Seconds without a heartbeat after which a session may be taken over.
        ttl: Seconds after which a session that nobody touches is forgotten; also how long the
            results of an ended one can be read.
        pool: Pool whose sessions it serves.
    """

    def __init__(
        self,
        broker: Broker,
        transcriber_id: str,
        *,
        lease: float,
        ttl: float,
        pool: str = keys.DEFAULT_POOL,
    ) -> None:
        super().__init__(broker, transcriber_id, lease=lease, pool=pool)
        self._ttl_ms = int(ttl * 1000)

    async def options(self, sid: str) -> SessionOptions | None:
        """Returns what a session was opened with; ``None`` if the broker does not know it."""
        options = await self._broker.execute("HGET", keys.state(sid), "options")
        return None if options is None else SessionOptions.decode(options)

    async def claim(self, assignment: Assignment, span: str = "") -> Claim | None:
        """Becomes the owner of a leased session; ``None`` (lease dropped) if it is over.

        Args:
            assignment: The lease.
            span: Id of the span that the lease will have, for those who come after it.
        """
        state = keys.state(assignment.sid)
        token = secrets.token_hex(8)
        answer = await self._broker.run(scripts.CLAIM, [state], self._id, span, token)
        if answer[0] != b"ok":
            await self.drop(assignment.entry_id)
            return None
        _, epoch, sample, seq, index, options, attempts, former_span, mark, spoken = answer
        return Claim(
            sid=assignment.sid,
            entry_id=assignment.entry_id,
            epoch=epoch,
            checkpoint=marked_checkpoint(sample, seq, mark),
            index=index,
            options=SessionOptions.decode(options),
            attempts=attempts,
            former_span=former_span.decode(),
            spoken=spoken,
        )

    async def read(self, sid: str, after: int, count: int) -> list[Entry]:
        """Returns up to ``count`` entries behind number ``after``, in order."""
        return await read_entries(self._broker, sid, after, count)

    async def read_on(self, claim: Claim, after: int, count: int) -> list[Entry]:
        """Returns up to ``count`` entries behind number ``after``, the next one first.

        Raises:
            Fenced: Others have decided what comes next; so the claim is not good any more.
            SessionGone: The broker has lost the session.
            LookupError: The broker has lost what comes next.
        """
        entries = await self.read(claim.sid, after, count)
        if entries and entries[0].seq != after + 1:
            await self.check(claim)
            raise LookupError(f"entry {after + 1} of session {claim.sid} is missing")
        return entries

    async def check(self, claim: Claim) -> None:
        """Raises ``Fenced`` or ``SessionGone`` unless the claim is still good."""
        epoch = await self._broker.execute("HGET", keys.state(claim.sid), "epoch")
        if epoch is None:
            raise SessionGone(claim.sid)
        if int(epoch) != claim.epoch:
            raise Fenced(claim.sid)

    async def commit(
        self,
        claim: Claim,
        checkpoint: Checkpoint,
        after: int,
        recorded: Sequence[Recorded],
        *,
        origins: Sequence[Origin | None] = (),
        sent_at: float | None = None,
    ) -> None:
        """Records results and moves the checkpoint, atomically; safe to repeat.

        Args:
            claim: Ownership to commit under.
            checkpoint: New checkpoint; never behind the last one.
            after: Index of the last result before these.
            recorded: Results with the indexes that follow; may be empty.
            origins: What is known of these; goes with the ring and is not recorded.
            sent_at: When this was first tried, by the broker's clock.

        Raises:
            Fenced: Another transcriber owns the session.
            SessionGone: The broker has lost it.
        """
        status = "open"
        if recorded and isinstance(recorded[-1], Ended | Failed):
            status = "ended" if isinstance(recorded[-1], Ended) else "failed"
        index = after + len(recorded)
        asked = claim.options.silence_ms is not None
        spoken = spoken_until(recorded) if asked else None
        ring = Ring(
            sid=claim.sid,
            checkpoint_sample=checkpoint.sample,
            checkpoint_seq=checkpoint.seq,
            index=index,
            results=tuple(recorded),
            origins=tuple(origins),
            sent_at=sent_at,
            checkpoint_speaking=checkpoint.speaking,
        )
        outcome, last = await self._broker.run(
            scripts.COMMIT,
            [keys.state(claim.sid), keys.audio(claim.sid), keys.results(claim.sid)],
            claim.epoch,
            after + 1,
            checkpoint.sample,
            checkpoint.seq,
            status,
            encode(ring),
            keys.gateway_channel(""),
            self._ttl_ms,
            speaking_mark(checkpoint),
            "" if spoken is None else spoken,
            *(encode(result) for result in recorded),
        )
        if outcome == b"fenced":
            raise Fenced(claim.sid)
        if outcome == b"gone":
            raise SessionGone(claim.sid)
        if outcome == b"conflict":
            raise RuntimeError(
                f"commit out of order: result {after + 1} follows {last}, checkpoint {checkpoint}"
            )

    async def accuse(self, claim: Claim) -> int:
        """Notes that a session is tried alone; returns how often it has been since it moved on.

        Raises:
            Fenced: Another transcriber owns the session.
        """
        count: int = await self._broker.run(scripts.ACCUSE, [keys.state(claim.sid)], claim.epoch)
        if not count:
            raise Fenced(claim.sid)
        return count

    async def acquit(self, claim: Claim) -> None:
        """Takes back what is held against a session: its audio did no harm."""
        await self._broker.run(scripts.ACQUIT, [keys.state(claim.sid)], claim.epoch)

    async def ring_interim(
        self, claim: Claim, interim: Interim, origin: Origin | None = None
    ) -> bool:
        """Sends an interim past the record; returns whether the claim was still good."""
        ring = Ring(claim.sid, -1, -1, -1, (interim,), (origin,) if origin else ())
        return bool(
            await self._broker.run(
                scripts.INTERIM,
                [keys.state(claim.sid)],
                claim.epoch,
                encode(ring),
                keys.gateway_channel(""),
            )
        )

    async def ring_speech(self, claim: Claim, signals: Sequence[Speech]) -> None:
        """Sends signals of speech past the record, unless the claim is not good any more."""
        ring = encode(Ring(claim.sid, -1, -1, -1, tuple(signals)))
        channel = keys.gateway_channel("")
        await self._broker.run(scripts.INTERIM, [keys.state(claim.sid)], claim.epoch, ring, channel)

    async def release(self, claim: Claim) -> None:
        """Says that nobody owns a session any more, unless somebody else does already."""
        await self._broker.run(scripts.RELEASE, [keys.state(claim.sid)], claim.epoch)

    async def hand_off(self, claim: Claim) -> None:
        """Puts a live session back in line; another transcriber goes on at the checkpoint."""
        await self._broker.run(scripts.RELEASE, [keys.state(claim.sid)], claim.epoch)
        await self.put_back(Assignment(claim.entry_id, claim.sid))
