"""What all calls of a gateway share."""

from __future__ import annotations

from dataclasses import dataclass, field

from scripta_common.tracing import Tracing
from scripta_gateway.access.gatekeeper import Gatekeeper
from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.calls.idle_clock import Patience
from scripta_gateway.outbound.fetching import Fetcher
from scripta_gateway.outbound.posting import Poster
from scripta_gateway.sessions.hub import Hub


@dataclass(frozen=True, slots=True)
class Tools:
    """What a call works with.

    Attributes:
        hub: Where sessions come from and go back to.
        patience: How long a client may be silent, unless its dialect has bounds of its own.
        budget: Compressed streams that may be open at the same time.
        tracing: Where spans begin.
        fetcher: Fetches recordings.
        poster: Sends results to URLs.
        last_words: Seconds for the last words of a call when this gateway goes away, for clients
            who would not hear of them otherwise.
        gatekeeper: Lets callers in.
    """

    hub: Hub
    patience: Patience
    budget: StreamBudget
    tracing: Tracing
    fetcher: Fetcher
    poster: Poster
    last_words: float
    gatekeeper: Gatekeeper = field(default_factory=Gatekeeper)
