"""The gateway: connections, what clients send, what they get, and when."""

from __future__ import annotations

from .audio import AUDIO
from .connections import CONNECTIONS
from .dialects import DIALECTS
from .grafana import Board
from .processes import process_row
from .results import RESULTS

BOARD = Board(
    uid="scripta-gateway",
    title="Gateway",
    description="Connections, what clients send, what they get and how soon.",
    rows=[CONNECTIONS, DIALECTS, AUDIO, RESULTS, process_row("scripta_gateway_sessions")],
)
