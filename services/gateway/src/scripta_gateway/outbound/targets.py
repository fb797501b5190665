"""Targets of calls to the outside, as clients name them, and which of them are allowed. Pure.

A target is allowed by its name, and then by the addresses that its name has when it is called. A
name alone never opens what is not public: the list has to have that address or network as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, Self

import httpx

from scripta_common.errors import BadRequest

Address = IPv4Address | IPv6Address
_PORTS: Final = {"http": 80, "https": 443}
_NAME: Final = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_ENTRY: Final = re.compile(r"(?:\[(?P<boxed>[^\]]+)\]|(?P<plain>[^:\[\]]+))(?::(?P<port>\d{1,5}))?")
_LONGEST_URL: Final = 4096
_TRANSLATED: Final = ip_network("64:ff9b::/96")
"""IPv4 addresses as gateways between IPv6 and IPv4 write them."""
_OF_CLOUDS: Final = (ip_network("168.63.129.16/32"), ip_network("192.0.0.0/24"))
"""Public by their numbers, and yet where clouds tell a machine its secrets."""


class BadTarget(BadRequest):
    """A URL can not be called; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be called.

    Attributes:
        url: The whole URL; it may have credentials in it, so that it is not for logs.
        host: Its host in ASCII; for logs.
        port: Its port.
        address: Its host, where that is an address.
    """

    url: httpx.URL = field(repr=False)
    host: str
    port: int
    address: Address | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the target of a URL; raises ``BadTarget`` if it is none."""
        if len(text) > _LONGEST_URL:
            raise BadTarget(f"A URL here has at most {_LONGEST_URL} characters")
        try:
            url = httpx.URL(text)
        except (httpx.InvalidURL, ValueError):
            raise BadTarget("This is not a URL that can be called") from None
        if url.scheme not in _PORTS:
            raise BadTarget("A URL here begins with http:// or https://")
        host = url.raw_host.decode("ascii").removesuffix(".")
        port = _PORTS[url.scheme] if url.port is None else url.port
        address = _address(host)
        if not 0 < port < 65_536 or (address is None and not _NAME.fullmatch(host)):
            raise BadTarget("This is not a URL that can be called")
        return cls(url.copy_with(host=host), host, port, address)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a list; no port: the usual one of the URL's scheme."""

    name: str = ""
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None

    def names(self, target: Target) -> bool:
        """Returns whether it names the host and the port of a target."""
        if target.port != (self.port or _PORTS[target.url.scheme]):
            return False
        if self.network is not None:
            return target.address is not None and target.address in self.network
        if self.name.startswith("*"):
            return target.host.endswith(self.name[1:])
        return target.host == self.name


@dataclass(frozen=True, slots=True)
class Allowlist:
    """Who may be called; an empty list is nobody.

    Attributes:
        setting: Name of the setting that it comes from, for what clients are told.
    """

    setting: str
    entries: tuple[_Entry, ...] = ()

    @classmethod
    def parse(cls, setting: str, text: str) -> Self:
        """Returns the list that a setting says, with commas between its entries.

        An entry is a host, ``*.`` and a domain, ``*``, an address or a network. Behind a colon a
        port may follow; an IPv6 address with a port stands in brackets.

        Raises:
            ValueError: An entry is none of these.
        """
        return cls(setting, tuple(_entry(each) for each in text.split(",") if each))

    def __bool__(self) -> bool:
        """Returns whether anybody may be called."""
        return bool(self.entries)

    def check(self, target: Target) -> None:
        """Raises ``BadTarget`` if the target's host or port is not on the list."""
        if not any(entry.names(target) for entry in self.entries):
            raise BadTarget(
                f"The host of this URL, or its port, may not be called from here; an operator can "
                f"add it to {self.setting}"
            )

    def reaches(self, address: Address) -> bool:
        """Returns whether a connection may be made to an address."""
        return is_public(address) or any(
            entry.network is not None and address in entry.network for entry in self.entries
        )


def is_public(address: Address) -> bool:
    """Returns whether an address is one of the public internet, for a single machine."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _TRANSLATED:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    if any(address in network for network in _OF_CLOUDS):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _address(host: str) -> Address | None:
    try:
        return None if "%" in host else ip_address(host)  # no interface of our own is meant
    except ValueError:
        return None


def _entry(text: str) -> _Entry:
    try:
        return _Entry(network=ip_network(text))
    except ValueError:
        pass
    parts = _ENTRY.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is not a host, an address or a network, perhaps with a port")
    host, port = parts["boxed"] or parts["plain"], int(parts["port"] or 0) or None
    try:
        return _Entry(network=ip_network(host), port=port)
    except ValueError:
        if parts["boxed"]:
            raise
    name = host.lower().removesuffix(".")
    wild = "*." if name.startswith("*.") else "*" if name == "*" else ""
    if wild != "*":
        try:
            ascii_name = httpx.URL(f"http://{name.removeprefix(wild)}/").raw_host.decode("ascii")
        except httpx.InvalidURL:
            ascii_name = ""
        if not _NAME.fullmatch(ascii_name):
            raise ValueError(f"{text!r} is not the name of a host")
        name = wild + ascii_name
    return _Entry(name=name, port=port)
