"""How a client's audio comes: as it is spoken, or faster. Pure, in seconds of any clock.

Live audio comes as fast as it is spoken, whatever the size of its messages: a recorder's message
brings what was said since the one before, and a burst behind a stall brings what was said during
the stall. Audio that comes faster was spoken earlier: its client uploads it and waits for words.
"""

from __future__ import annotations

import math
from typing import Final

_PROVING_SECONDS: Final = 1.0
"""A client that has sent for so long, and not faster than speech, is live. An upload of a short
clip takes less."""

_CLIP_AHEAD: Final = 0.5
"""Before that, audio that is further ahead of real time is an upload: a connection that opens while
a recorder is running already brings less."""

_UPLOAD_AHEAD: Final = 2.5
"""After that, audio that is ahead by this and one message more is an upload: live clients send what
they held back while they connected, and networks deliver messages in bunches."""

_FIRST_BLOB: Final = 6.0
"""A first message that is not longer may be a recorder's, whenever it comes. Many recorders run
before the connection is open, and programs that play a recorder send first and wait then."""

_BREAK_SECONDS: Final = 30.0
"""Audio that a client may have to send again, or late, when it takes its session up again: as much
as it spoke while it was away, for as long as sessions wait for their clients by default."""

_LEAK: Final = 1.5
"""A client that is ahead loses this for each second: one that goes on as fast as speech is live,
however much it sent at the start."""

_FIRST_STALL: Final = 4.0
"""By how much a recorder's second message may be late: networks stall for 3 s."""

_FORGIVEN: Final = 0.05
"""Part of a second that each second of audio makes up for, in a client that is behind: its clock
may be slow, and what it lost long ago says nothing of now."""

_FADING: Final = 0.9
"""What each message leaves of the length of the longest before it."""

_LONGEST_BLOB: Final = 10.0
"""No recorder sends longer messages. A longer one is a clip."""


class Rhythm:
    """Follows the audio of one connection.

    Args:
        now: Time at which the connection was accepted.
        goes_on: Whether an earlier connection broke: what could not be sent meanwhile comes in a
            burst, as behind a stall.
    """

    def __init__(self, now: float, *, goes_on: bool = False) -> None:
        # Seconds of audio that came so far, less those that passed: about 0 behind each message
        # of a live client, negative while it stalls.
        self._ahead = 0.0
        # Time up to which ``_ahead`` counts.
        self._counted = now
        # When the last message arrived, how long after the one before, and its seconds of audio.
        self._arrived = -math.inf
        self._gap = 0.0
        self._message = 0.0
        self._longest = 0.0
        # Audio since the last boundary; and what is to come at once if messages come in bunches,
        # or in blobs, each so long after the one before.
        self._since_boundary = 0.0
        self._bunch = 0.0
        # What it may be ahead besides, until silence ends what is said: nobody listened so long.
        self._unheard = _BREAK_SECONDS if goes_on else 0.0
        # When the first message arrived since silence ended what was said; ``None``: none has.
        self._began = now - _PROVING_SECONDS if goes_on else None
        # Whether no boundary has followed the last message, and whether it is the first behind one.
        self._open = goes_on
        self._alone = False
        self._ends_file = False
        # Whether its last audio was a clip, or several, and then silence.
        self._sends_clips = False

    def audio(self, arrived: float, seconds: float, *, ends_file: bool = False) -> None:
        """Takes audio of a message; audio that arrived at the same time is of the same message."""
        self._ends_file = ends_file
        if arrived != self._arrived:
            self._next_message(arrived)
        self._message += seconds
        self._since_boundary += seconds
        self._longest = max(self._longest, self._message)
        if self._alone:
            # What was said in the pause before it may be in it; nothing has to be made up for.
            self._ahead = max(0.0, self._message - self._gap)
        else:
            self._ahead += seconds
            if self._ahead < 0:
                self._ahead = min(0.0, self._ahead + _FORGIVEN * seconds)

    def _next_message(self, arrived: float) -> None:
        self._gap = max(0.0, arrived - self._counted)
        self._arrived = self._counted = arrived
        if self._ahead > 0:
            still_ahead = self._ahead - _LEAK * self._gap
            self._ahead = max(still_ahead, min(0.0, self._ahead - self._gap))
        else:
            self._ahead -= self._gap
        if self._began is None:
            self._begin(arrived)
        self._longest *= _FADING
        self._message = 0.0
        self._alone = not self._open
        if self._alone:
            self._since_boundary = 0.0
        self._open = True

    def _begin(self, arrived: float) -> None:
        before = self._since_boundary
        in_rhythm = abs(self._gap - before) <= 0.1 + 0.05 * before
        self._bunch = before if in_rhythm else 0.0
        self._sends_clips = self._sends_clips and not in_rhythm
        self._longest = 0.0
        self._began = arrived

    def held_up(self, now: float) -> None:
        """Records that the client may have waited for us until now.

        An upload goes on where it was. A live client will send what was said meanwhile.
        """
        if self.is_upload:
            self._counted = max(self._counted, now)

    def unheard(self, seconds: float) -> None:
        """Records that nobody listened for so long: what arrived meanwhile comes in a burst."""
        self._unheard = max(self._unheard, seconds)

    def boundary(self, *, by_silence: bool) -> None:
        """Records that what was said has been finalized."""
        self._open = False
        if by_silence:
            self._sends_clips = self.is_upload or self._unproven
            self._began = None
            self._unheard = 0.0

    @property
    def is_upload(self) -> bool:
        """Whether the audio came faster than it can have been spoken."""
        if self._unproven:
            return self._ahead > _CLIP_AHEAD + max(self._bunch, self._unheard)
        return self._ahead > _UPLOAD_AHEAD + max(self._longest, self._bunch, self._unheard)

    def pause_after(self, least: float) -> float:
        """Returns the silence, of ``least`` or more, that is longer than between two messages."""
        return least if self.is_upload else max(least, 1.5 * self._blob + least / 2)

    def flush_after(self, least: float, behind: float) -> float:
        """Returns the silence behind the last message after which a client has stopped.

        Args:
            least: For a client that uploads. Others need this at least.
            behind: Seconds that a live client may be behind real time.
        """
        if not self._unproven and not self.is_upload:
            return max(self.pause_after(least), self._blob + behind + min(0.0, self._ahead))
        if self._is_clip:
            return least
        if self.is_upload:
            # A recorder's next message would come when as much has passed as this one holds.
            return max(least, self._blob + least / 2)
        if self._blob < least:
            return max(least, 2 * self._blob + least / 2)
        return self._blob + _FIRST_STALL

    @property
    def _is_clip(self) -> bool:
        """Whether what came can not be a recorder's first message."""
        if self.is_upload and not (self._alone and self._longest <= _FIRST_BLOB):
            return True
        whole = self._alone and self._ends_file and not self._bunch
        return whole or self._sends_clips or self._longest > _LONGEST_BLOB

    @property
    def _unproven(self) -> bool:
        return self._began is None or self._arrived - self._began < _PROVING_SECONDS

    @property
    def _blob(self) -> float:
        return min(max(self._longest, self._bunch), _LONGEST_BLOB)
