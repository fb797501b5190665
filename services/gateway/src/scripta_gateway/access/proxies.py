"""Who calls, by address, behind proxies that are trusted to say so. Pure.

A proxy appends the address of its own client to ``X-Forwarded-For``. Everything left of what a
trusted proxy has appended may be invented, so that the list is read from the right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The addresses whose word on their clients is believed.

    Attributes:
        networks: All of them; IPv4 is written as IPv4 mapped into IPv6.
    """

    networks: tuple[IPv6Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the proxies of a setting: addresses and networks with commas between them.

        Raises:
            ValueError: One of them is neither an address nor a network.
        """
        return cls(tuple(_network(item.strip()) for item in text.split(",") if item.strip()))

    def client_of(self, peer: str, forwarded: Iterable[str]) -> str:
        """Returns the address of a client.

        Args:
            peer: Address of the socket's other end; empty where it has none.
            forwarded: Values of all ``X-Forwarded-For`` headers in their order.

        Returns:
            The first address from the right that is no trusted proxy; the last trusted one if
            what stands left of it is no address.
        """
        client = _address(peer)
        if client is None:
            return peer
        hops = [hop for line in forwarded for hop in line.split(",")] if self.networks else []
        while hops and self._trusts(client):
            further = _address(_without_port(hops.pop().strip()))
            if further is None:
                break
            client = further
        return str(client)

    def _trusts(self, address: Address) -> bool:
        mapped = _mapped(address)
        return any(mapped in network for network in self.networks)


def address_of(text: str) -> str:
    """Returns an address in its shortest form; what is no address as it is."""
    address = _address(text)
    return text if address is None else str(address)


def is_loopback(text: str) -> bool:
    """Returns true if it is an address of the machine itself."""
    address = _address(text)
    return address is not None and address.is_loopback


def _network(text: str) -> IPv6Network:
    network = ip_network(text)
    if isinstance(network, IPv6Network):
        return network
    return IPv6Network((_mapped(network.network_address), 96 + network.prefixlen))


def _mapped(address: Address) -> IPv6Address:
    if isinstance(address, IPv6Address):
        return address
    return IPv6Address(0xFFFF_0000_0000 | int(address))


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])  # without the zone of a link
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _without_port(hop: str) -> str:
    hop = hop.strip('"')
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def peer_of(client: Sequence[object] | None) -> str:
    """Returns the address in ``client`` of an ASGI scope or in a socket's name; empty if none."""
    return address_of(str(client[0])) if client else ""
