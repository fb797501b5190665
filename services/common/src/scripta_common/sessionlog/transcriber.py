"""The transcriber's half of the session log: lease, read audio, commit, let go.

A lease is a pending entry of the assignment stream; its age is the server's to tell. The epoch
that a claim gives goes with every commit, so an owner that has lost its lease without noticing
is refused.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from redis.exceptions import ResponseError

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.sessionlog import scripts
from scripta_common.sessionlog.entries import read_entries
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
    encode,
)


class Fenced(Exception):
    """Another transcriber owns the session now; whatever was to be done is not ours any more."""


class SessionGone(Exception):
    """The broker does not know the session any more."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A lease just taken: the pending entry and the session it stands for."""

    entry_id: bytes
    sid: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Ownership of a session.

    Attributes:
        sid: The session.
        entry_id: The pending entry that is the lease.
        epoch: Fencing token.
        checkpoint: Where to go on from.
        index: Last recorded result.
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


class TranscriberLog:
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
        self._broker = broker
        self._id = transcriber_id
        self._assign = keys.assign(pool)
        self._lease_ms = int(lease * 1000)
        self._ttl_ms = int(ttl * 1000)

    async def join(self) -> None:
        """Makes sure the group exists; entries from before it are delivered too."""
        try:
            await self._broker.execute(
                "XGROUP", "CREATE", self._assign, keys.GROUP, "0", "MKSTREAM"
            )
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        # An empty stream that nobody has put anything into must not stay for ever either.
        await self._broker.execute("PEXPIRE", self._assign, keys.ASSIGN_TTL_MS)

    async def leave(self) -> None:
        """Removes this consumer from the group, unless it still holds a lease."""
        pending = await self._broker.execute(
            "XPENDING", self._assign, keys.GROUP, "-", "+", 1, self._id
        )
        if not pending:  # deleting a consumer would destroy its pending entries
            await self._broker.execute("XGROUP", "DELCONSUMER", self._assign, keys.GROUP, self._id)

    async def next_assignment(self, wait: float) -> Assignment | None:
        """Waits up to ``wait`` seconds for a session in line and leases it."""
        answer = await self._broker.execute_blocking(
            wait,
            *("XREADGROUP", "GROUP", keys.GROUP, self._id, "COUNT", 1),
            *("BLOCK", max(1, int(wait * 1000)), "STREAMS", self._assign, ">"),
        )
        if not answer:
            return None
        return _assignments(answer[self._assign.encode()])[0]

    async def reclaim(self, count: int) -> list[Assignment]:
        """Leases sessions whose owner's heartbeat has stopped: up to ``count``, its fair share."""
        asked_at = time.monotonic()
        # XAUTOCLAIM looks at ten entries for each it may claim and would miss the expired ones
        # behind that many live ones.
        expired = await self._broker.execute(
            *("XPENDING", self._assign, keys.GROUP, "IDLE", self._lease_ms, "-", "+", count)
        )
        # A late answer is of a time when nobody could renew.
        if not expired or time.monotonic() - asked_at > self._lease_ms / 2000:
            return []
        share = math.ceil(len(expired) / await self._count_members())
        # Who comes second finds an idle time of nothing and gets nothing.
        rows = await self._broker.execute(
            *("XCLAIM", self._assign, keys.GROUP, self._id, self._lease_ms),
            *(entry_id for entry_id, *_ in expired[:share]),
        )
        return _assignments(rows)

    async def _count_members(self) -> int:
        """Returns how many transcribers have been heard of within a lease, this one included."""
        consumers = await self._broker.execute("XINFO", "CONSUMERS", self._assign, keys.GROUP)
        heard = {c[b"name"] for c in consumers if c[b"idle"] < self._lease_ms}
        return len(heard | {self._id.encode()})

    async def renew(self, leases: Sequence[bytes]) -> set[bytes]:
        """Renews leases; returns those still held. The others have a new owner."""
        held = await self._broker.run(
            scripts.HEARTBEAT, [self._assign], keys.GROUP, self._id, keys.ASSIGN_TTL_MS, *leases
        )
        return set(held)

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
        _, epoch, sample, seq, index, options, attempts, former_span = answer
        return Claim(
            sid=assignment.sid,
            entry_id=assignment.entry_id,
            epoch=epoch,
            checkpoint=Checkpoint(sample, seq),
            index=index,
            options=SessionOptions.decode(options),
            attempts=attempts,
            former_span=former_span.decode(),
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
        ring = Ring(
            sid=claim.sid,
            checkpoint_sample=checkpoint.sample,
            checkpoint_seq=checkpoint.seq,
            index=index,
            results=tuple(recorded),
            origins=tuple(origins),
            sent_at=sent_at,
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

    async def drop(self, entry_id: bytes) -> None:
        """Gives up a lease for good: its session needs no owner, or has another lease.

        A lease that has passed to another transcriber is left to it.
        """
        await self._broker.run(scripts.DROP, [self._assign], keys.GROUP, self._id, entry_id)

    async def release(self, claim: Claim) -> None:
        """Says that nobody owns a session any more, unless somebody else does already."""
        await self._broker.run(scripts.RELEASE, [keys.state(claim.sid)], claim.epoch)

    async def hand_off(self, claim: Claim) -> None:
        """Puts a live session back in line; another transcriber goes on at the checkpoint."""
        await self._broker.run(scripts.RELEASE, [keys.state(claim.sid)], claim.epoch)
        await self.put_back(Assignment(claim.entry_id, claim.sid))

    async def put_back(self, assignment: Assignment) -> None:
        """Puts a session back in line and gives up its lease, if it still is ours."""
        await self._broker.run(
            scripts.HANDOFF,
            [self._assign],
            keys.GROUP,
            self._id,
            assignment.entry_id,
            assignment.sid,
        )


def _assignments(rows: Sequence[tuple[bytes, Sequence[bytes]]]) -> list[Assignment]:
    return [Assignment(entry_id, fields[1].decode()) for entry_id, fields in rows]
