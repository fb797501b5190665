"""A transcriber's leases: pure, no I/O, no clock, no tasks.

Decides which sessions to take, which leases to renew, which transcriptions to end and what
becomes of a lease when its transcription has ended. The shell says what happened and does what is
answered.

An upload lends its slot: a live session may have it at the same time, for an upload is decoded in
the time that live sessions leave.

Always true: no more live sessions than slots, and no more leases than twice as many; a lease is
held until its transcription has ended and what is decided about it has been done.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Offer(StrEnum):
    """What to do with an assignment that was leased."""

    TAKE = "take"
    """Claim its session."""
    GO_ON = "go_on"
    """Nothing: the lease is our own, expired while we were held up, and its work goes on."""
    PUT_BACK = "put_back"
    """Put it back in line: there is no slot for it, or there will be none soon."""


class Ending(StrEnum):
    """How a transcription ended."""

    OVER = "over"
    """Its session is over."""
    STOPPED = "stopped"
    """It was asked to, where nothing was half done."""
    CUT_OFF = "cut_off"
    """It was cancelled."""
    FENCED = "fenced"
    """Another transcriber has the session."""
    GONE = "gone"
    """The broker has lost the session."""
    FAILED = "failed"
    """By a fault of ours."""


class Farewell(StrEnum):
    """What becomes of a lease."""

    DROP = "drop"
    """It is given up for good."""
    HAND_OFF = "hand_off"
    """Its session goes back in line."""
    RELEASE = "release"
    """It is lost: its session is said to be free, so that its gateway puts it in line again if no
    other transcriber has it."""
    LET_EXPIRE = "let_expire"
    """It is not renewed any more, and another transcriber takes it over."""


class Leases:
    """The leases of one transcriber, each known by its pending entry.

    Args:
        slots: Live sessions at a time.

    Attributes:
        draining: Whether no session is taken any more.
        finished: Live sessions that have left their slots for good.
    """

    def __init__(self, slots: int) -> None:
        self.draining = False
        self.finished = 0
        self._slots = slots
        # Whether the transcription is still at work (otherwise its lease is being given up).
        self._held: dict[bytes, bool] = {}
        # Those of uploads.
        self._uploads: set[bytes] = set()
        # Those whose sessions are being claimed; each has its slot already.
        self._placing: set[bytes] = set()

    @property
    def held(self) -> tuple[bytes, ...]:
        """The leases to renew."""
        return (*self._held, *self._placing)

    @property
    def free(self) -> int:
        """How many sessions may be taken: into empty slots, and into those of uploads."""
        taken = len(self._held) + len(self._placing)
        # What is being claimed may be live.
        return min(self._slots + len(self._uploads), 2 * self._slots) - taken

    @property
    def full(self) -> bool:
        """Whether each slot has a session, be it one that lends it."""
        return len(self._held) + len(self._placing) >= self._slots

    @property
    def uploads(self) -> int:
        """Leases of uploads."""
        return len(self._uploads)

    @property
    def wanted(self) -> int:
        """How many expired leases may be taken over."""
        return 0 if self.draining else self.free

    def offered(self, entry_id: bytes) -> Offer:
        """Decides about an assignment, new in line or expired with its former owner.

        A slot is kept for one that is to be taken, until ``take`` or ``leave``.
        """
        if entry_id in self._held or entry_id in self._placing:
            return Offer.GO_ON
        # A drain's own blocked read may get what it has just handed off.
        if not self.wanted:
            return Offer.PUT_BACK
        self._placing.add(entry_id)
        return Offer.TAKE

    def take(self, entry_id: bytes, *, upload: bool = False) -> None:
        """Notes that the session of a lease was claimed and its transcription begins."""
        if entry_id not in self._placing:
            raise RuntimeError(f"lease {entry_id!r} was not offered; held are {self._held}")
        self._placing.discard(entry_id)
        self._held[entry_id] = True
        if upload:
            self._uploads.add(entry_id)

    def leave(self, entry_id: bytes) -> None:
        """Frees the slot of a lease that was to be taken and was not; else does nothing."""
        self._placing.discard(entry_id)

    def renewed(self, asked: Collection[bytes], held: Collection[bytes]) -> list[bytes]:
        """Takes the answer to a renewal; returns the leases whose transcriptions must end.

        Args:
            asked: The leases that were to be renewed; some may have been given up meanwhile.
            held: Those that were.
        """
        return [entry_id for entry_id in asked if entry_id not in held and self._works(entry_id)]

    @property
    def working(self) -> list[bytes]:
        """The leases whose transcriptions are at work: all others are being given up."""
        return [entry_id for entry_id in self._held if self._works(entry_id)]

    def ended(self, entry_id: bytes, ending: Ending) -> Farewell:
        """Takes the end of a transcription; returns what becomes of its lease."""
        if not self._works(entry_id):
            raise RuntimeError(f"transcription of {entry_id!r} ended {ending} but was not at work")
        self._held[entry_id] = False
        self.finished += entry_id not in self._uploads and ending in (Ending.OVER, Ending.GONE)
        match ending:
            # Fenced, its session is in line twice, or the lease is not ours: kept, it would fence
            # the new owner.
            case Ending.OVER | Ending.FENCED | Ending.GONE:
                return Farewell.DROP
            case Ending.STOPPED:
                return Farewell.HAND_OFF
            case Ending.CUT_OFF:
                return Farewell.HAND_OFF if self.draining else Farewell.RELEASE
            case Ending.FAILED:
                return Farewell.LET_EXPIRE

    def give_up(self, entry_id: bytes) -> None:
        """Notes that nothing is left to do about a lease: its slot is free."""
        del self._held[entry_id]
        self._uploads.discard(entry_id)

    def _works(self, entry_id: bytes) -> bool:
        return self._held.get(entry_id, False)
