"""What all sockets of the process share."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from scripta_gateway.bounds import (
    AUDIO_TEXT_ROOM,
    MIB,
    SPARE_SOCKETS,
    TEXT_BYTES,
    UNFINISHED_BYTES,
    UNFINISHED_SECONDS,
)
from scripta_gateway.settings import GatewaySettings
from scripta_gateway.transports.events import Limits
from scripta_gateway.transports.frames import HARD_FACTOR
from scripta_gateway.transports.message_room import MessageRoom
from scripta_gateway.transports.sockets import Sockets
from scripta_gateway.transports.upgrade import Answer

Formulate = Callable[[Answer], Answer]
"""Puts an answer of the transport into the form of a dialect."""

_HARD_LEAST = 16 * MIB
_LARGE_MESSAGES = 4
_OTHER_FILES = 256
"""For the broker's connections, decoders and logs."""


def _most_files() -> int:
    """Returns how many files sockets may be; an accept that fails for want of one is no refusal."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(1, soft - _OTHER_FILES)


@dataclass(frozen=True, slots=True)
class Edge:
    """Limits and counts over all sockets.

    Attributes:
        limits: How large messages may be.
        sockets: All sockets there are.
        room: Where large messages find room.
        audio_texts: Where text messages that bring audio do.
        uploads: Paths of the routes that take audio in the body of a POST; each with what puts an
            answer into the form that its clients understand.
        upload_bytes: Largest such body.
    """

    limits: Limits
    sockets: Sockets
    room: MessageRoom
    audio_texts: MessageRoom
    uploads: Mapping[bytes, Formulate] = field(default_factory=dict)
    upload_bytes: int = 0

    @classmethod
    def of(cls, settings: GatewaySettings, uploads: Mapping[str, Formulate] | None = None) -> Edge:
        """Returns the edge of a gateway with these settings and such routes."""
        largest = settings.max_audio_size
        return cls(
            limits=Limits(
                binary=largest,
                text=TEXT_BYTES,
                # Far beyond what is accepted, so that a client which sends too much hears so and
                # keeps its connection; what is skipped costs no memory.
                hard=max(_HARD_LEAST, HARD_FACTOR * largest),
            ),
            sockets=Sockets(min(settings.max_sessions + SPARE_SOCKETS, _most_files())),
            room=MessageRoom(max(UNFINISHED_BYTES, _LARGE_MESSAGES * largest), UNFINISHED_SECONDS),
            audio_texts=MessageRoom(AUDIO_TEXT_ROOM, UNFINISHED_SECONDS, until_heard=True),
            uploads={path.encode(): form for path, form in (uploads or {}).items()},
            upload_bytes=settings.max_upload_bytes,
        )
