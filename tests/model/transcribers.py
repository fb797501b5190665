"""Transcribers, driven one call at a time: the real log and decisions without the tasks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TypeVar

from redis.exceptions import ResponseError

from scripta_common.broker import Broker
from scripta_common.sessionlog import Assignment, Claim, Fenced, SessionGone, TranscriberLog
from scripta_common.wire import Entry
from scripta_transcriber.leases import Ending, Farewell, Leases, Offer

from .listening import Cutting, Listener

T = TypeVar("T")

LEASE = 60.0
"""Seconds: nothing expires by itself while the model runs."""
TTL = 3600.0


class Phase(StrEnum):
    """What a piece of work does next."""

    READ = "read"
    COMMIT = "commit"
    PART = "part"


class Work:
    """The transcription of one claimed session."""

    def __init__(self, claim: Claim, cutting: Cutting) -> None:
        self.claim = claim
        self.phase = Phase.READ
        self.stopping = False
        self.ending = Ending.STOPPED
        self._listener = Listener(cutting, claim)
        self._unheard: list[Entry] = []
        self._ended = False

    async def step(self, log: TranscriberLog, count: int, *, answered: bool) -> None:
        """Does what is next.

        Args:
            log: The session log.
            count: Entries to take at a time.
            answered: Whether the answer to a commit arrives; otherwise it is made again.

        Raises:
            Fenced, SessionGone: As the log.
        """
        if self.phase is Phase.READ:
            if self.stopping:
                self.part(Ending.STOPPED)
            elif self._unheard:
                self._hear(count)
            else:
                self._unheard = await log.read_on(self.claim, self._listener.seq, count)
                if not self._unheard:
                    await log.check(self.claim)
        elif self.phase is Phase.COMMIT:
            commit = self._listener.decisions.pending()
            await log.commit(self.claim, commit.checkpoint, commit.after, commit.results)
            if answered:
                self._listener.decisions.committed(commit)
                self.phase = Phase.READ
                if self._ended:
                    self.part(Ending.OVER)

    def part(self, ending: Ending) -> None:
        self.phase, self.ending = Phase.PART, ending

    def _hear(self, count: int) -> None:
        batch, self._unheard = self._unheard[:count], self._unheard[count:]
        decided, self._ended = self._listener.hear(batch)
        if decided:
            self.phase = Phase.COMMIT


class Transcriber:
    """One transcriber process."""

    def __init__(
        self, broker: Broker, name: str, slots: int, cutting_of: Callable[[str], Cutting]
    ) -> None:
        self.name = name
        self.log = TranscriberLog(broker, name, lease=LEASE, ttl=TTL)
        self.leases = Leases(slots)
        self.works: dict[bytes, Work] = {}
        self.frozen = False
        self._cutting_of = cutting_of
        self.placing: list[Assignment] = []
        # The lease whose claim was made and not answered.
        self._asked = b""

    async def take(self) -> None:
        """Takes a session in line, if there is one and a slot for it."""
        if self.leases.free and not self.leases.draining and not self.placing:
            assignment = await self._in_group(lambda: self.log.next_assignment(0))
            self.placing += [assignment] if assignment else []

    async def place(self, *, answered: bool = True) -> None:
        """Claims a session that was taken, or puts it back."""
        if not self.placing:
            return
        assignment = self.placing[0]
        again = assignment.entry_id == self._asked
        match Offer.TAKE if again else self.leases.offered(assignment.entry_id):
            case Offer.TAKE:
                self._asked = assignment.entry_id
                claim = await self._in_group(lambda: self.log.claim(assignment))
                if not answered:
                    return  # the call is made again
                self._asked = b""
                if claim is not None:
                    self.leases.take(claim.entry_id)
                    self.works[claim.entry_id] = Work(claim, self._cutting_of(claim.sid))
                self.leases.leave(assignment.entry_id)
            case Offer.PUT_BACK:
                await self._in_group(lambda: self.log.put_back(assignment))
        if self.placing:  # the group may have been lost
            self.placing.pop(0)

    def work_at(self, place: int) -> Work | None:
        """Returns one of its works, counted round."""
        works = list(self.works.values())
        return works[place % len(works)] if works else None

    async def work(self, place: int, count: int, *, answered: bool = True) -> None:
        """Does one step of one of its sessions."""
        if not self.works:
            return
        entry_id = list(self.works)[place % len(self.works)]
        work = self.works[entry_id]
        if work.phase is Phase.PART:
            await self._part(entry_id, work)
            return
        try:
            await work.step(self.log, count, answered=answered)
        except Fenced:
            work.part(Ending.FENCED)
        except SessionGone:
            work.part(Ending.GONE)
        except RuntimeError as error:
            if "out of order" not in str(error):
                raise
            work.part(Ending.FAILED)

    async def beat(self) -> None:
        """Renews its leases and takes over expired ones."""
        leases = self.leases.held
        held = await self._in_group(lambda: self.log.renew(leases))
        if held is None:
            return
        self._cut_off(self.leases.renewed(leases, held))
        if count := self.leases.wanted:
            self.placing += await self._in_group(lambda: self.log.reclaim(count)) or []

    def drain(self) -> None:
        """Begins to hand all sessions off."""
        self.leases.draining = True
        for work in self.works.values():
            work.stopping = True

    async def _part(self, entry_id: bytes, work: Work) -> None:
        if entry_id in self.leases.working:
            farewell = self.leases.ended(entry_id, work.ending)
            try:
                if farewell is Farewell.DROP:
                    await self.log.drop(entry_id)
                elif farewell is Farewell.HAND_OFF:
                    await self.log.hand_off(work.claim)
                elif farewell is Farewell.RELEASE:
                    await self.log.release(work.claim)
            except ResponseError:
                pass  # as the worker does: there is no such lease any more
        self.leases.give_up(entry_id)
        del self.works[entry_id]

    def _cut_off(self, lost: list[bytes]) -> None:
        for entry_id in lost:
            if self.works[entry_id].phase is not Phase.PART:
                self.works[entry_id].part(Ending.CUT_OFF)

    async def _in_group(self, attempt: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await attempt()
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            for assignment in self.placing:
                self.leases.leave(assignment.entry_id)
            self.placing.clear()
            self._asked = b""
            await self.log.join()
            self._cut_off(self.leases.working)
            return None
