"""Leasing: how a transcriber takes sessions from its pool's line, keeps them and lets them go.

A lease is a pending entry of the assignment stream. Its age, and whether the heartbeats of whoever
wants to take it over have come regularly, are the broker's to tell: no transcriber's clock matters,
nor how far away it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from redis.exceptions import ResponseError

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.sessionlog import scripts

HEARTBEATS_PER_LEASE: Final = 4

SILENT_MS: Final = 300_000
"""A consumer without leases that was not heard of for so long is taken for dead. One that lives is
heard of every second or so."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A lease just taken: the pending entry and the session it stands for."""

    entry_id: bytes
    sid: str


class Leasing:
    """One transcriber's dealings with the line of its pool.

    Args:
        broker: Connection to the broker.
        transcriber_id: This transcriber: its consumer name.
        lease: Seconds without a heartbeat after which a session may be taken over.
        pool: Pool whose sessions it serves.

    Attributes:
        beat: Seconds between two heartbeats.
    """

    def __init__(self, broker: Broker, transcriber_id: str, *, lease: float, pool: str) -> None:
        self.beat = lease / HEARTBEATS_PER_LEASE
        self._broker = broker
        self._id = transcriber_id
        self._assign = keys.assign(pool)
        self._beats = keys.beats(pool)
        self._lease_ms = int(lease * 1000)
        self._beat_ms = int(self.beat * 1000)

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
        await self._broker.execute("HDEL", self._beats, self._id)

    async def tidy(self, silent_ms: int = SILENT_MS) -> int:
        """Removes consumers that were killed, some time ago; returns how many."""
        removed: int = await self._broker.run(
            scripts.TIDY, [self._assign, self._beats], keys.GROUP, silent_ms
        )
        return removed

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

    async def renew(self, leases: Sequence[bytes]) -> set[bytes]:
        """Sends a heartbeat; returns which leases are still held. The others have a new owner."""
        held = await self._broker.run_apart(
            scripts.HEARTBEAT,
            [self._assign, self._beats],
            keys.GROUP,
            self._id,
            keys.ASSIGN_TTL_MS,
            self._beat_ms,
            *leases,
        )
        return set(held)

    async def reclaim(self, count: int) -> list[Assignment]:
        """Leases sessions whose owner's heartbeat has stopped: up to ``count``, its fair share.

        None as long as this transcriber's own heartbeats do not come regularly.
        """
        rows = await self._broker.run_apart(
            scripts.RECLAIM,
            [self._assign, self._beats],
            keys.GROUP,
            self._id,
            self._lease_ms,
            self._beat_ms,
            count,
        )
        return _assignments(rows)

    async def drop(self, entry_id: bytes) -> None:
        """Gives up a lease for good: its session needs no owner, or has another lease.

        A lease that has passed to another transcriber is left to it.
        """
        await self._broker.run(scripts.DROP, [self._assign], keys.GROUP, self._id, entry_id)

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
