"""Quarantine: sessions whose owners keep dying are tried one at a time.

When a transcriber dies, all its sessions look alike: each was claimed once more without moving on.
From the third such claim on a session is a suspect. A transcriber works on one suspect at a time
and notes so before it begins; the one that was being tried when the next transcriber died is the
one to fail, and its neighbours go on. A suspect that moves on, or whose audio has all been heard,
is acquitted.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from scripta_common.sessionlog import Claim, TranscriberLog

logger = logging.getLogger(__name__)

SUSPECT_FROM: Final = 3
"""Claims without moving on that make a suspect: two owners have died."""

GUILTY_FROM: Final = 2
"""Trials that convict: the owner died in the first, the third to die."""


class Quarantine:
    """The one place of a transcriber in which a suspect is tried.

    Args:
        log: The session log.
    """

    def __init__(self, log: TranscriberLog) -> None:
        self._log = log
        self._place = asyncio.Lock()

    def trial(self, claim: Claim) -> Trial:
        """Returns the trial of a claimed session; nothing happens unless it is a suspect."""
        return Trial(self._log, self._place, claim)


class Trial:
    """One claimed session's way through the quarantine."""

    def __init__(self, log: TranscriberLog, place: asyncio.Lock, claim: Claim) -> None:
        self._log = log
        self._place = place
        self._claim = claim
        self._on_trial = False

    async def begin(self) -> bool:
        """Waits for its turn, if the session is a suspect; returns whether it may be worked on.

        Raises:
            Fenced: Another transcriber owns the session.
            BrokerUnavailable: The broker does not answer.
        """
        if self._claim.attempts < SUSPECT_FROM:
            return True
        if not self._on_trial:
            await self._place.acquire()
            self._on_trial = True
        trials = await self._log.accuse(self._claim)
        logger.warning(
            "session tried alone", extra={"attempts": self._claim.attempts, "trials": trials}
        )
        return trials < GUILTY_FROM

    async def acquit(self) -> None:
        """Ends the trial in the session's favour, if one is under way."""
        if self._on_trial:
            await self._log.acquit(self._claim)
            self.close()

    def close(self) -> None:
        """Makes room for the next suspect; may be called again."""
        if self._on_trial:
            self._on_trial = False
            self._place.release()
