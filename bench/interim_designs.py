"""Ways to make interims that the benches set beside Scripta's own; none is a setting of it."""

from __future__ import annotations

import sys
from enum import StrEnum

from published import PublishedEngine
from scripta_transcriber import hypothesis
from scripta_transcriber.engines import create_engine
from scripta_transcriber.engines.base import Engine

INTERVAL_SECONDS = 0.5


class Interims(StrEnum):
    """How interims are made."""

    SCRIPTA = "scripta"
    """As the transcriber makes them: what is a while ago is settled, the last draft is checked."""
    UNDRAFTED = "undrafted"
    """The same, but every draft is heard and decoded from its beginning."""
    WHOLE = "whole"
    """Each hears the whole open segment; the last draft is checked."""
    PLAIN = "plain"
    """Each hears the whole open segment and is decoded from its first word."""
    PUBLISHED = "published"
    """As ``whole``, by the model's graphs as they are published."""

    @property
    def drafts(self) -> bool:
        """Whether the last draft is of use to the next."""
        return self in (Interims.SCRIPTA, Interims.WHOLE, Interims.PUBLISHED)

    @property
    def bounded(self) -> bool:
        """Whether what is a while ago is not heard again."""
        return self in (Interims.SCRIPTA, Interims.UNDRAFTED)

    def engine(self) -> Engine:
        """Returns the engine, not loaded yet."""
        if self is Interims.PUBLISHED:
            return PublishedEngine()
        return create_engine("moonshine", 1)

    def apply(self) -> None:
        """Makes this process bound its interims or not; drafts are for its engine to leave out."""
        if not self.bounded:
            vars(hypothesis)["_LONGEST"] = sys.maxsize
