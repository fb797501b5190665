"""Ways to make interims that the benches set beside Scripta's own; none is a setting of it."""

from __future__ import annotations

import sys
from enum import StrEnum

from scripta_transcriber import hypothesis

INTERVAL_SECONDS = 0.5


class Interims(StrEnum):
    """How interims are made."""

    SCRIPTA = "scripta"
    """As the transcriber makes them: what is a while ago is settled, the last draft is checked."""
    UNDRAFTED = "undrafted"
    """The same, but every draft is decoded from its first word."""
    WHOLE = "whole"
    """Each hears the whole open segment; the last draft is checked."""
    PLAIN = "plain"
    """Each hears the whole open segment and is decoded from its first word."""

    @property
    def drafts(self) -> bool:
        """Whether the last draft is checked."""
        return self in (Interims.SCRIPTA, Interims.WHOLE)

    @property
    def bounded(self) -> bool:
        """Whether what is a while ago is not heard again."""
        return self in (Interims.SCRIPTA, Interims.UNDRAFTED)

    def apply(self) -> None:
        """Makes this process bound its interims or not; drafts are for its engine to leave out."""
        if not self.bounded:
            vars(hypothesis)["_LONGEST"] = sys.maxsize
