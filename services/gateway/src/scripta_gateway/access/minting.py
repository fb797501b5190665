"""What a short-lived token is asked to be, and what comes of it. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from scripta_gateway.access.caller import Caller, Quota

SHORT_LIVED: Final = "ek_"
"""What may stand before a token. Some packages use in a browser only what begins with it, so that
nobody puts a lasting key into a page."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a token is to be good for.

    Attributes:
        seconds: How long it can be used to open sessions.
        models: Our own names of the only models; empty: those of the key.
        origins: Origins of the only pages; empty: those of the key.
        limits: What it may use, if that is less than what the key may.
        preset: How its calls begin, in the form of the dialect that it was asked for in.
    """

    seconds: int
    models: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    limits: Quota = field(default_factory=Quota)
    preset: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Minted:
    """A new token.

    Attributes:
        text: The token; for whoever asked, and nobody else.
        issued_at: Unix time in seconds when it was made.
        expires_at: Unix time in seconds from which it opens nothing.
        wish: What it is good for.
        session: Id that an answer may name, where one has to.
    """

    text: str = field(repr=False)
    issued_at: int
    expires_at: int
    wish: Wish
    session: str = ""


class Mint(Protocol):
    """Makes tokens."""

    def mint(self, caller: Caller, wish: Wish, now: float) -> Minted:
        """Returns a new token.

        Args:
            caller: Who asks for it.
            wish: What it is to be good for.
            now: Unix time in seconds.

        Raises:
            BadRequest: It would be too long to be sent.
            Forbidden: The caller may not make it, or there is nothing to sign it with.
        """
        ...
