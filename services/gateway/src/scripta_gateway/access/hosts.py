"""Names of hosts: as a client writes them, and as a setting lists them. Pure.

A page can give its own name any address, also that of this machine. Its browser then takes us for
the page's own host (DNS rebinding). What gives it away is the ``Host`` that the browser sends: it
can not be an address, nor a name that nobody can register.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final, Self

import idna

_LOCALHOST: Final = "localhost"
_LONGEST: Final = 253
"""Characters of the longest name that the DNS has."""
_INTERNAL: Final = (f".{_LOCALHOST}", ".svc", ".cluster.local", ".internal")
"""Ends of names that are nobody's to register: what resolves them is the machine or the cluster."""
_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/?#@\[\]\\%*]+)(?::([0-9]{1,5}))?")
_ANY: Final = "*"
_SUBDOMAINS: Final = "*."


@dataclass(frozen=True, slots=True)
class Host:
    """A host, and perhaps a port.

    Attributes:
        name: Lower case and in ASCII, without a dot at its end; an address in its shortest form.
        port: Port, if it is named.
    """

    name: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the host that is written as in a URL or in ``Host``.

        Raises:
            ValueError: It is none.
        """
        match = _HOST.fullmatch(text)
        if match is None:
            raise ValueError(f"{text[:_LONGEST]!r} is not the name of a host")
        return cls(_plain(match[1]), int(match[2]) if match[2] else None)

    @property
    def is_address(self) -> bool:
        """Whether it is an address and no name."""
        try:
            ip_address(self.name)
        except ValueError:
            return False
        return True

    @property
    def is_nobodys(self) -> bool:
        """Whether it is a name that nobody can register."""
        return "." not in self.name or self.name.endswith(_INTERNAL)


@dataclass(frozen=True, slots=True)
class HostPattern:
    """The hosts that an entry of a list allows.

    Attributes:
        name: Name, or the domain of which the subdomains are meant; ``*``: every host.
        subdomains: Whether the subdomains of the name are meant, of any depth, and not itself.
        port: Port; ``None``: any.
    """

    name: str
    subdomains: bool = False
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the pattern that is written as ``name``, ``*.name`` or ``*``.

        Raises:
            ValueError: It is none.
        """
        if text == _ANY:
            return cls(_ANY)
        subdomains = text.startswith(_SUBDOMAINS)
        host = Host.parse(text.removeprefix(_SUBDOMAINS))
        if subdomains and host.is_address:
            raise ValueError(f"{text!r}: an address has no subdomains")
        return cls(host.name, subdomains, host.port)

    def matches(self, host: Host) -> bool:
        """Returns true if it allows the host."""
        if self.port is not None and self.port != host.port:
            return False
        if self.subdomains:
            return host.name.endswith(f".{self.name}")
        return self.name in (_ANY, host.name)


def host_allowed(host: str, allowed: Iterable[HostPattern], *, local: bool) -> bool:
    """Returns true if a request may name this host.

    Args:
        host: What its ``Host`` says.
        allowed: The hosts that are allowed beside addresses and the names of this machine; empty:
            all, but for a local request those only that nobody can register.
        local: Whether the request comes from the machine itself, or to an address of its own.
    """
    try:
        known = Host.parse(host)
    except ValueError:
        return False
    if known.is_address or known.name == _LOCALHOST or known.name.endswith(f".{_LOCALHOST}"):
        return True
    patterns = tuple(allowed)
    if patterns:
        return any(pattern.matches(known) for pattern in patterns)
    return not local or known.is_nobodys


def _plain(name: str) -> str:
    if name.startswith("["):
        return str(IPv6Address(name[1:-1]))
    name = name.removesuffix(".").lower()
    if len(name) > _LONGEST or not all(name.split(".")):
        raise ValueError(f"{name[:_LONGEST]!r} is not the name of a host")
    return name if name.isascii() else idna.encode(name, uts46=True).decode()
