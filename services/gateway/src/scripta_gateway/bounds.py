"""The bounds on what a client can cause, all in one place, each with its reason.

A bound that an operator may want to change is a setting; its default and its reason stand in
``settings``. All others are constants here. Whatever enforces a bound imports it from here,
refuses early and cheaply, says in plain words what was too much, and counts that in
``scripta_gateway_bounds_hit_total`` under the bound's name.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Bound(StrEnum):
    """A bound on what a client can cause; the value is the metric's label."""

    HEAD_BYTES = "head_bytes"
    """Bytes of a request's head: before that nobody knows who calls, or what for."""
    HEAD_SECONDS = "head_seconds"
    """Time in which a request's head has to be complete, also for a socket that never speaks."""
    BODY_BYTES = "body_bytes"
    """Bytes of a request's body, on routes that want none."""
    CONNECTIONS = "connections"
    """Sockets that the process holds, whatever they are for."""
    SILENT_CONNECTIONS = "silent_connections"
    """Accepted clients that have not sent any audio; the oldest make room for newcomers."""
    FRAME_BYTES = "frame_bytes"
    """Bytes of one binary message."""
    TEXT_BYTES = "text_bytes"
    """Bytes of one text message."""
    FRAMES = "frames"
    """Frames a second of one connection: each costs time on the loop, whatever its size."""
    UNFINISHED_BYTES = "unfinished_bytes"
    """Bytes of frames that are not complete, over all connections."""
    REFUSALS = "refusals"
    """Messages of one connection refused in a row."""
    UNREAD = "unread"
    """Answers and results that a client does not read."""
    DECODERS = "decoders"
    """Compressed streams that are decoded at the same time."""
    DECODER_MEMORY = "decoder_memory"
    """Memory of one compressed stream's decoder."""
    DECODER_SECONDS = "decoder_seconds"
    """Time that one compressed stream's decoder may take for one step."""
    HELD_AUDIO = "held_audio"
    """Decoded audio that the process holds, over all sessions."""


MAX_APPEND_ENTRIES: Final = 64
"""Entries that one call puts into the log: a call holds the broker up for half a millisecond."""

MAX_APPEND_BYTES: Final = 256 * 1024
"""Audio in one call, unless a single entry is longer: what a slow network carries in a moment."""

MAX_UNWRITTEN_SECONDS: Final = 8.0
"""Audio entered and not in the log yet: the longest entry eight times, and far more than live
speech brings in one round trip to the most distant broker. Beyond, the client is not read from."""

MAX_UNANSWERED: Final = 256
"""Messages of one connection that are not answered yet: what 20 ms chunks come to in 5 s. Beyond,
the client is not read from; so one that reads no answers is not read from either."""

MAX_MESSAGES_A_TURN: Final = 4
"""Messages of one connection that are handled before all others have their turn."""

MAX_BACKLOG_ENTRIES: Final = 4096
"""Entries past the checkpoint, whatever their length: what tiny messages can cost."""

MAX_BOUNDARIES: Final = 32
"""Boundaries asked for and not decided yet: each is an entry and a final, and needs no audio."""

MAX_UNDELIVERED: Final = 64
"""Results kept for a client that does not read, of a few kilobytes at most each; more stay in the
log until it does."""

MAX_SEND_SECONDS: Final = 60.0
"""How long a client may leave answers or results unread before its connection is given up."""

MAX_REFUSALS_IN_A_ROW: Final = 1000
"""Refused messages without an accepted one between them: who gets that far does not listen."""
