"""The attacks, a module a family; importing this registers all of them."""

from . import (
    bodies,
    commands,
    decoded,
    decoders,
    drain,
    frames,
    heads,
    identity,
    media,
    places,
    readers,
)

__all__ = [
    "bodies",
    "commands",
    "decoded",
    "decoders",
    "drain",
    "frames",
    "heads",
    "identity",
    "media",
    "places",
    "readers",
]
