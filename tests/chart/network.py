"""Who may reach whom by the NetworkPolicies, as a network that enforces them decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from .rendering import NAMESPACE, Object, Pod, Release
from .selecting import selects


@dataclass(frozen=True, slots=True)
class Peer:
    """One end of a connection: a pod somewhere, or an address outside the cluster.

    Attributes:
        labels: Labels of the pod; ``None`` for what is no pod.
        namespace: Where the pod is.
        ports: Its ports by name.
        address: Its IP address.
    """

    labels: Mapping[str, str] | None
    namespace: str = NAMESPACE
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str = "10.1.2.3"

    @classmethod
    def of(cls, pod: Pod) -> Peer:
        """Returns a pod of the release as a peer."""
        ports = [port for each in pod.containers for port in each.get("ports", [])]
        return cls(pod.labels, ports={port["name"]: port["containerPort"] for port in ports})


def allowed(release: Release, source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
    """Whether the policies of both ends let a connection through."""
    return _passes(release, "Egress", source, target, port, protocol) and _passes(
        release, "Ingress", target, source, port, protocol
    )


def _passes(
    release: Release, direction: str, own: Peer, other: Peer, port: int, protocol: str
) -> bool:
    """Whether one end's policies let it through; an end that none selects is open."""
    policies = [
        each["spec"]
        for each in release.all("NetworkPolicy")
        if direction in each["spec"]["policyTypes"] and _covers(each, own)
    ]
    side = "to" if direction == "Egress" else "from"
    listener = other if direction == "Egress" else own
    return not policies or any(
        _names_port(rule, listener, port, protocol) and _names_peer(rule.get(side), other)
        for policy in policies
        for rule in policy.get(direction.lower(), [])
    )


def _covers(policy: Object, peer: Peer) -> bool:
    if peer.labels is None or peer.namespace != NAMESPACE:
        return False
    return selects(policy["spec"]["podSelector"], peer.labels)


def _names_port(rule: Mapping[str, Any], listener: Peer, port: int, protocol: str) -> bool:
    ports = rule.get("ports")
    return not ports or any(
        each.get("protocol", "TCP") == protocol
        and port == listener.ports.get(each["port"], each["port"])
        for each in ports
    )


def _names_peer(peers: list[dict[str, Any]] | None, other: Peer) -> bool:
    return not peers or any(_is(each, other) for each in peers)


def _is(peer: Mapping[str, Any], other: Peer) -> bool:
    if block := peer.get("ipBlock"):
        outside = block.get("except", [])
        address = ip_address(other.address)
        return address in ip_network(block["cidr"]) and not any(
            address in ip_network(each) for each in outside
        )
    if other.labels is None:
        return False
    if (namespaces := peer.get("namespaceSelector")) is None:
        at_home = other.namespace == NAMESPACE
    else:
        at_home = selects(namespaces, {"kubernetes.io/metadata.name": other.namespace})
    return at_home and selects(peer.get("podSelector", {}), other.labels)
