"""What must talk can, and the broker answers nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from .cases import CHOICES, cases, combined
from .network import Peer, allowed
from .rendering import Release, Values, merged, render

pytestmark = pytest.mark.chart

STRANGER = Peer({"app": "stranger"})
BROWSER = Peer(None, address="203.0.113.7")
PROMETHEUS = Peer({"app.kubernetes.io/name": "prometheus"}, namespace="monitoring")
KEDA = Peer({"app": "keda-operator"}, namespace="keda")
DNS = Peer({"k8s-app": "kube-dns"}, namespace="kube-system", ports={"dns": 53})
DATA = Peer(None, address="10.9.9.9")

each_case = pytest.mark.parametrize("values", cases().values(), ids=cases())


def peers(release: Release) -> dict[str, Peer]:
    return {pod.component: Peer.of(pod) for pod in release.pods()}


def services(release: Release) -> dict[str, Peer]:
    return {
        name: peer
        for name, peer in peers(release).items()
        if name == "gateway" or name.startswith("transcriber")
    }


@each_case
def test_services_reach_names_and_broker(values: Values) -> None:
    release = render(values)
    broker = peers(release).get("broker")
    external: dict[str, Any] = dict(values).get("broker", {}).get("external", {})
    for service in services(release).values():
        assert all(allowed(release, service, DNS, port, "UDP") for port in (53, 5353))
        assert allowed(release, service, DNS, 53)
        if broker is not None:
            assert allowed(release, service, broker, 6379)
        for port in [] if broker else external.get("ports", [6379]):
            assert allowed(release, service, DATA, port)


@each_case
def test_broker_answers_only_pods_with_the_access_label(values: Values) -> None:
    release = render(values)
    broker = peers(release).get("broker")
    if broker is None or not release.all("NetworkPolicy"):
        return
    assert not allowed(release, STRANGER, broker, 6379)
    assert not allowed(release, BROWSER, broker, 6379)
    assert not allowed(release, PROMETHEUS, broker, 6379)
    neighbour = Peer({"scripta/broker-client": "true", "app.kubernetes.io/instance": "other"})
    assert not allowed(release, neighbour, broker, 6379)
    elsewhere = Peer(
        {"scripta/broker-client": "true", "app.kubernetes.io/instance": release.name},
        namespace="other",
    )
    assert not allowed(release, elsewhere, broker, 6379)
    if "test" in peers(release):
        assert not allowed(release, peers(release)["test"], broker, 6379)


@each_case
def test_broker_is_open_to_keda_only_where_keda_reads_it(values: Values) -> None:
    release = render(values)
    broker = peers(release).get("broker")
    if broker is None or not release.all("NetworkPolicy"):
        return
    reads = any(
        "stream" in trigger["metadata"]
        for each in release.all("ScaledObject")
        for trigger in each["spec"]["triggers"]
    )
    assert allowed(release, KEDA, broker, 6379) is reads


@each_case
def test_broker_starts_no_connections(values: Values) -> None:
    release = render(values)
    broker = peers(release).get("broker")
    if broker is not None and release.all("NetworkPolicy"):
        assert not allowed(release, broker, DATA, 443)
        assert not allowed(release, broker, DNS, 53, "UDP")


@each_case
def test_helm_test_reaches_the_gateway(values: Values) -> None:
    """Guards the test of a release whose gateways only an ingress may reach."""
    release = render(values)
    if "test" in peers(release):
        assert allowed(release, peers(release)["test"], peers(release)["gateway"], 8000)


@each_case
def test_prometheus_reaches_all_that_has_metrics(values: Values) -> None:
    release = render(values)
    gateway = peers(release)["gateway"]
    assert allowed(release, PROMETHEUS, gateway, gateway.ports.get("admin", 8000))
    for name, service in services(release).items():
        if name != "gateway":
            assert allowed(release, PROMETHEUS, service, 8001)


def test_clients_from_anywhere_reach_gateways_and_nothing_else() -> None:
    release = render()
    there = peers(release)
    assert allowed(release, BROWSER, there["gateway"], 8000)
    assert not allowed(release, BROWSER, there["transcriber"], 8001)
    assert not allowed(release, STRANGER, there["gateway"], 9000)
    assert not allowed(release, BROWSER, there["gateway"], 8001)


def test_gateways_reach_the_public_internet_only_where_clients_may_name_hosts() -> None:
    """Guards the cluster's own network, and the metadata service of its cloud."""
    closed = render()
    assert not allowed(closed, peers(closed)["gateway"], BROWSER, 443)
    release = render({"gateway": {"settings": {"fetchHosts": "a.example,b.example:8443"}}})
    there = peers(release)
    for port in (80, 443, 8443):
        assert allowed(release, there["gateway"], BROWSER, port)
        assert not allowed(release, there["transcriber"], BROWSER, port)
    assert not allowed(release, there["gateway"], BROWSER, 22)
    for address in ("10.1.2.3", "169.254.169.254", "192.168.1.1"):
        assert not allowed(release, there["gateway"], Peer(None, address=address), 80)


@pytest.mark.parametrize(
    ("issuer", "jwks", "port"),
    [
        ("https://id.example", "", 443),
        ("http://dex.auth.svc:5556/dex", "", 5556),
        ("http://dex.auth.svc", "", 80),
        ("id", "https://id.example:8443/keys", 8443),
    ],
)
def test_gateways_reach_the_identity_provider(issuer: str, jwks: str, port: int) -> None:
    jwt = {"issuer": issuer, "audience": "speech", "jwks": jwks}
    release = render({"gateway": {"access": {"jwt": jwt}}})
    there = peers(release)
    for provider in (BROWSER, Peer({"app": "dex"}, address="10.1.2.3")):
        assert allowed(release, there["gateway"], provider, port)
        assert not allowed(release, there["gateway"], provider, 8444)
        assert not allowed(release, there["transcriber"], provider, port)


def test_gateways_can_be_closed_to_all_but_the_named() -> None:
    release = render(CHOICES["network"]["narrow"])
    there = peers(release)
    assert allowed(release, Peer(None, address="10.1.1.1"), there["gateway"], 8000)
    assert not allowed(release, BROWSER, there["gateway"], 8000)
    assert not allowed(release, Peer({"app": "x"}, address="192.0.2.1"), there["gateway"], 8000)
    for name in ("gateway", "transcriber"):
        assert not allowed(release, Peer({"app": "x"}, address="192.0.2.1"), there[name], 8001)
        assert allowed(release, PROMETHEUS, there[name], 8001)
    scraper = Peer(PROMETHEUS.labels, namespace="monitoring", address="192.0.2.1")
    assert allowed(release, scraper, there["gateway"], 8001)
    assert not allowed(release, scraper, there["gateway"], 8000)


def test_prometheus_reaches_gateways_without_a_port_for_it() -> None:
    values = merged(CHOICES["network"]["narrow"], {"gateway": {"settings": {"adminPort": 0}}})
    release = render(values)
    gateway = peers(release)["gateway"]
    assert gateway.ports == {"http": 8000}
    assert allowed(release, PROMETHEUS, gateway, 8000)
    assert not allowed(release, BROWSER, gateway, 8000)


def test_services_reach_nothing_that_they_do_not_need() -> None:
    release = render(combined({"broker": "Cluster", "network": "policies"}))
    for service in services(release).values():
        assert not allowed(release, service, BROWSER, 443)
        assert not allowed(release, service, Peer({"app": "db"}), 5432)


def test_further_egress_can_be_added() -> None:
    release = render(CHOICES["network"]["narrow"])
    for service in services(release).values():
        assert allowed(release, service, Peer({"app": "otel"}, namespace="otel"), 4317)


def _open(**of_vosk: Any) -> Release:
    settings = {"voskPort": 2700, "wyomingPort": 10300}
    ports = {"vosk": of_vosk, "wyoming": {}}
    return render({"gateway": {"settings": settings, "openPorts": ports}})


@pytest.mark.parametrize("port", [2700, 10300])
def test_ports_without_keys_let_in_nobody_but_the_releases_own_test(port: int) -> None:
    """Guards against strangers who speak: the protocols there know no keys."""
    release = _open()
    there = peers(release)
    for stranger in (STRANGER, BROWSER, PROMETHEUS, there["transcriber"], there["broker"]):
        assert not allowed(release, stranger, there["gateway"], port)
    assert allowed(release, BROWSER, there["gateway"], 8000)
    assert allowed(release, there["test"], there["gateway"], port)


def test_port_without_keys_is_open_to_whom_it_lists_and_the_other_is_not() -> None:
    release = _open(**{"from": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]})
    there = peers(release)
    assert allowed(release, BROWSER, there["gateway"], 2700)
    assert not allowed(release, STRANGER, there["gateway"], 2700)
    assert not allowed(release, BROWSER, there["gateway"], 10300)


def test_port_without_keys_is_closed_to_all_where_there_is_no_test() -> None:
    """Guards against a rule without peers, which would let everybody in."""
    settings = {"voskPort": 2700}
    release = render({"gateway": {"settings": settings}, "test": {"enabled": False}})
    gateway = peers(release)["gateway"]
    assert not allowed(release, STRANGER, gateway, 2700)
    assert not allowed(release, gateway, gateway, 2700)


@pytest.mark.parametrize("port", [2700, 10300])
def test_ports_without_keys_are_not_there_unless_they_are_asked_for(port: int) -> None:
    release = render()
    assert not allowed(release, peers(release)["test"], peers(release)["gateway"], port)
    assert peers(release)["gateway"].ports == {"http": 8000, "admin": 8001}
    assert len(release.all("Service")) == 2


def test_without_policies_all_is_open() -> None:
    release = render(CHOICES["network"]["open"])
    assert release.all("NetworkPolicy") == []
    assert allowed(release, STRANGER, peers(release)["broker"], 6379)


def test_a_second_release_in_the_namespace_has_a_broker_of_its_own() -> None:
    one, other = render(release="one"), render(release="two")
    assert not allowed(one, peers(other)["gateway"], peers(one)["broker"], 6379)


def test_evaluator_sees_a_missing_label() -> None:
    """Guards these tests against an evaluator that lets everything through."""
    release = render()
    gateway = peers(release)["gateway"]
    assert gateway.labels is not None
    bare = {name: text for name, text in gateway.labels.items() if name != "scripta/broker-client"}
    assert allowed(release, gateway, peers(release)["broker"], 6379)
    assert not allowed(release, Peer(bare), peers(release)["broker"], 6379)
