"""TLS up to the pods: who reads which Secret, and who speaks how to a gateway that speaks TLS."""

from __future__ import annotations

from typing import Any

import pytest

from .environment import environment
from .rendering import Release, merged, render

pytestmark = pytest.mark.chart

SECRET: dict[str, Any] = {"gateway": {"tls": {"existingSecret": "speech-tls"}}}
ISSUED: dict[str, Any] = {"gateway": {"tls": {"certManager": {"issuer": "house"}}}}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def volumes(release: Release) -> dict[str, str]:
    """Returns the Secret in each folder of the gateway's container."""
    pod = release.pod("gateway")
    (container,) = pod.containers
    secrets = {
        each["name"]: each["secret"]["secretName"]
        for each in pod.spec["volumes"]
        if "secret" in each
    }
    mounts = [each for each in container["volumeMounts"] if each["name"] in secrets]
    assert all(each["readOnly"] and "subPath" not in each for each in mounts)
    return {each["mountPath"]: secrets[each["name"]] for each in mounts}


def asked(release: Release) -> set[tuple[str, str]]:
    """Returns the port and the scheme of the gateway's probes."""
    (container,) = release.pod("gateway").containers
    gets = [container[probe]["httpGet"] for probe in PROBES]
    return {(get["port"], get.get("scheme", "HTTP")) for get in gets}


def test_without_it_nothing_speaks_tls() -> None:
    release = render()
    seen = environment(release.pod("gateway"))
    assert [seen[name] for name in ("TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE")] == [
        ""
    ] * 3
    assert volumes(release) == {}
    assert asked(release) == {("admin", "HTTP")}


@pytest.mark.parametrize(
    ("values", "secret"), [(SECRET, "speech-tls"), (ISSUED, "talk-scripta-gateway-tls")]
)
def test_gateway_reads_its_certificate_out_of_a_folder(values: dict[str, Any], secret: str) -> None:
    """Guards a certificate that is renewed and never seen: a file mounted alone does not change."""
    release = render(values)
    seen = environment(release.pod("gateway"))
    assert volumes(release) == {"/etc/scripta/tls": secret}
    assert seen["TLS_CERT_FILE"] == "/etc/scripta/tls/tls.crt"
    assert seen["TLS_KEY_FILE"] == "/etc/scripta/tls/tls.key"


def test_probes_and_scrapes_need_no_certificate_on_the_operators_port() -> None:
    release = render(SECRET)
    assert asked(release) == {("admin", "HTTP")}
    assert "prometheus.io/scheme" not in release.pod("gateway").annotations


def test_probes_and_scrapes_speak_tls_where_there_is_one_port_only() -> None:
    values = merged(SECRET, {"gateway": {"settings": {"adminPort": 0}}})
    release = render(values)
    assert asked(release) == {("http", "HTTPS")}
    assert release.pod("gateway").annotations["prometheus.io/scheme"] == "https"
    assert "prometheus.io/scheme" not in release.pod("transcriber").annotations
    watched = merged(values, {"monitoring": {"podMonitor": {"enabled": True}}})
    (monitor,) = render(watched).all("PodMonitor")
    schemes = {each["port"]: each.get("scheme") for each in monitor["spec"]["podMetricsEndpoints"]}
    assert schemes == {"http": "https", "health": None}


def test_cert_manager_makes_a_certificate_for_every_name_that_clients_use() -> None:
    front = {
        "gateway": {
            "ingress": {"enabled": True, "hosts": ["speech.example.com"]},
            "route": {"hostnames": ["voice.example.com"]},
        }
    }
    (certificate,) = render(merged(ISSUED, front)).all("Certificate")
    spec = certificate["spec"]
    assert spec["issuerRef"] == {"name": "house", "kind": "Issuer", "group": "cert-manager.io"}
    assert spec["secretName"] == "talk-scripta-gateway-tls"
    service = render().one("Service", "gateway")["metadata"]["name"]
    assert spec["dnsNames"][0] == service
    assert {f"{service}.speech.svc", "speech.example.com", "voice.example.com"} <= set(
        spec["dnsNames"]
    )


def test_names_can_be_those_that_an_issuer_can_prove() -> None:
    names = {"gateway": {"tls": {"certManager": {"dnsNames": ["speech.example.com"]}}}}
    (certificate,) = render(merged(ISSUED, names)).all("Certificate")
    assert certificate["spec"]["dnsNames"] == ["speech.example.com"]


def test_what_stands_before_the_pods_is_told_to_speak_tls() -> None:
    ingress = {"gateway": {"ingress": {"enabled": True, "hosts": ["speech.example.com"]}}}
    release = render(merged(SECRET, ingress))
    told = "nginx.ingress.kubernetes.io/backend-protocol"
    assert release.all("Ingress")[0]["metadata"]["annotations"][told] == "HTTPS"
    assert told not in render(ingress).all("Ingress")[0]["metadata"]["annotations"]
    (port,) = release.one("Service", "gateway")["spec"]["ports"]
    assert port["appProtocol"] == "https"
    assert "appProtocol" not in render().one("Service", "gateway")["spec"]["ports"][0]


def test_gateway_api_checks_the_certificate_of_the_service() -> None:
    route = {"gateway": {"route": {"enabled": True, "parentRefs": [{"name": "public"}]}}}
    release = render(merged(SECRET, route))
    (policy,) = release.all("BackendTLSPolicy")
    service = release.one("Service", "gateway")["metadata"]["name"]
    assert policy["spec"]["targetRefs"] == [{"group": "", "kind": "Service", "name": service}]
    assert policy["spec"]["validation"] == {
        "hostname": f"{service}.speech.svc",
        "wellKnownCACertificates": "System",
    }
    own = {"gateway": {"route": {"backendTLS": {"enabled": False}}}}
    assert not render(merged(SECRET, route, own)).all("BackendTLSPolicy")
    assert not render(route).all("BackendTLSPolicy")


def test_clients_can_be_asked_for_a_certificate() -> None:
    client = {"gateway": {"tls": {"clientCA": {"secretName": "clients", "key": "clients.pem"}}}}
    release = render(merged(SECRET, client, {"test": {"enabled": False}}))
    seen = environment(release.pod("gateway"))
    assert volumes(release)["/etc/scripta/client-ca"] == "clients"
    assert seen["TLS_CLIENT_CA_FILE"] == "/etc/scripta/client-ca/clients.pem"
    assert seen["TLS_CLIENT_AUTH"] == "required"


def test_notes_and_the_releases_test_speak_as_the_gateway_does() -> None:
    release = render(SECRET)
    assert "wss://localhost:8000/ws" in release.notes
    assert "speech-tls" in release.notes
    assert "Nothing here encrypts" not in release.notes
    command = " ".join(release.pod("test").containers[-1]["command"])
    assert "wss://talk-scripta-gateway:80/ws" in command
