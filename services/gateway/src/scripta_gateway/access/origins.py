"""Origins of pages: which of them may call from a browser. Pure.

A browser tells of every page that calls us by script where it came from, and does not let the page
lie. Clients that are no browsers send no ``Origin``, or whatever they like; they pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from scripta_gateway.access.hosts import Host, HostPattern

SELF: Final = "self"
"""Entry of a list of origins: pages of the host that they call."""
_NULL: Final = "null"
"""What a browser says of pages without an origin, such as files and those in a sandbox."""
_EVERY: Final = "*"
_ANY_PORT: Final = ":*"
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a page came from.

    Attributes:
        scheme: Scheme in lower case; empty for ``null``.
        host: Its host; always with the port, if the scheme has one of its own.
    """

    scheme: str
    host: Host

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the origin that a browser sends; raises ``ValueError`` if it is none."""
        if text == _NULL:
            return cls("", Host(_NULL))
        scheme, mark, rest = text.partition("://")
        scheme = scheme.lower()
        if not mark or not _SCHEME.fullmatch(scheme):
            raise ValueError(f"{text!r} is not an origin such as https://speech.example.com")
        return cls(scheme, _with_port(Host.parse(rest), scheme))


@dataclass(frozen=True, slots=True)
class OriginPattern:
    """The origins that an entry of a list allows.

    Attributes:
        scheme: Scheme; ``None``: http or https; ``*``: any.
        host: Hosts.
        usual_port: Whether the port has to be the scheme's own.
    """

    scheme: str | None
    host: HostPattern
    usual_port: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the pattern of an entry.

        ``https://speech.example.com``, ``https://*.example.com``, ``http://localhost:*``; without a
        scheme both http and https; ``null``; ``*`` for every origin.

        Raises:
            ValueError: It is none of these.
        """
        if text == _EVERY:
            return cls(_EVERY, HostPattern(_EVERY))
        if text == _NULL:
            return cls("", HostPattern(_NULL))
        scheme, mark, rest = text.rpartition("://")
        scheme = scheme.lower()
        if mark and not _SCHEME.fullmatch(scheme):
            raise ValueError(f"{text!r} is not an origin such as https://speech.example.com")
        rest = rest.removesuffix("/")
        host = HostPattern.parse(rest.removesuffix(_ANY_PORT))
        usual_port = host.port is None and not rest.endswith(_ANY_PORT)
        return cls(scheme if mark else None, host, usual_port)

    def matches(self, origin: Origin) -> bool:
        """Returns true if it allows the origin."""
        if not self.host.matches(origin.host):
            return False
        if self.usual_port and origin.host.port != _PORTS.get(origin.scheme):
            return False
        if self.scheme is None:
            return origin.scheme in ("http", "https")
        return self.scheme in (_EVERY, origin.scheme)


def origin_allowed(origin: str, allowed: Iterable[str]) -> bool:
    """Returns true if a list of origins allows one; entries that are none allow nothing.

    Args:
        origin: What a browser sent.
        allowed: Entries as ``OriginPattern.parse`` reads them.
    """
    try:
        known = Origin.parse(origin)
    except ValueError:
        return False
    return any(pattern.matches(known) for pattern in map(_read, allowed) if pattern is not None)


def is_own_origin(origin: str, host: str, *, secure: bool) -> bool:
    """Returns true if a page was fetched from the host that it calls.

    Args:
        origin: What a browser sent.
        host: ``Host`` of its request.
        secure: Whether the request came to us by TLS. If not, a proxy may have ended it.
    """
    try:
        page = Origin.parse(origin)
        called = _with_port(Host.parse(host), page.scheme)
    except ValueError:
        return False
    schemes = ("https",) if secure else ("http", "https")
    return page.scheme in schemes and page.host == called


def check_origins(text: str) -> None:
    """Raises ``ValueError`` if an entry of a setting is no origin."""
    for entry in entries(text):
        if entry != SELF:
            OriginPattern.parse(entry)


def entries(text: str) -> tuple[str, ...]:
    """Returns the entries of a list with commas between."""
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


def _with_port(host: Host, scheme: str) -> Host:
    return Host(host.name, _PORTS.get(scheme)) if host.port is None else host


@lru_cache(4096)
def _read(entry: str) -> OriginPattern | None:
    try:
        return OriginPattern.parse(entry)
    except ValueError:
        return None
