"""What a person reads after the installation works when it is copied."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from .cases import CHOICES, cases
from .rendering import NAMESPACE, Release, Values, merged, render
from .selecting import selects

pytestmark = pytest.mark.chart

KINDS = {
    "deployment": "Deployment",
    "deployments": "Deployment",
    "service": "Service",
    "httproute": "HTTPRoute",
    "hpa": "HorizontalPodAutoscaler",
    "scaledobjects": "ScaledObject",
    "pods": "Pod",
    "nodes": "Node",
}

each_case = pytest.mark.parametrize("values", cases().values(), ids=cases())


def commands(release: Release) -> Iterator[list[str]]:
    """Yields the commands of the notes, each as its words."""
    for line in release.notes.splitlines():
        for found in re.findall(r"(?:^\s*|\$\()((?:kubectl|helm) .*?)(?:\)?$)", line):
            yield shlex.split(found.partition(" | ")[0].removesuffix(" must answer, which needs"))


@each_case
def test_commands_name_objects_of_the_release(values: Values) -> None:
    release = render(values)
    for words in commands(release):
        for word in words:
            kind, slash, name = word.partition("/")
            if slash and kind in KINDS:
                assert release.has(KINDS[kind], name), word
        if "httproute" in words:
            assert release.has("HTTPRoute", words[words.index("httproute") + 1])
        if "service" in words:
            assert release.has("Service", words[words.index("service") + 1])


@each_case
def test_commands_ask_in_the_namespace_of_the_release(values: Values) -> None:
    for words in commands(render(values)):
        if "nodes" in words or "--raw" in words:
            continue
        assert words[1:3] == ["-n", NAMESPACE] or words[-2:] == ["-n", NAMESPACE], words


@each_case
def test_selectors_of_commands_find_pods(values: Values) -> None:
    release = render(values)
    for words in commands(release):
        if "-l" in words:
            label, _, value = words[words.index("-l") + 1].partition("=")
            found = [
                pod
                for pod in release.pods()
                if selects({"matchLabels": {label: value}}, pod.labels)
            ]
            assert found


@each_case
def test_every_deployment_can_be_waited_for(values: Values) -> None:
    release = render(values)
    waited = {words[words.index("status") + 1] for words in commands(release) if "status" in words}
    names = {each["metadata"]["name"] for each in release.all("Deployment")}
    assert waited == {f"deployment/{name}" for name in names}


@each_case
def test_test_is_offered_only_if_there_is_one(values: Values) -> None:
    release = render(values)
    assert (f"helm -n {NAMESPACE} test talk" in release.notes) is bool(release.all("Pod"))


@each_case
def test_autoscaler_that_may_be_blind_has_a_check(values: Values) -> None:
    release = render(values)
    metrics = [
        metric
        for each in release.all("HorizontalPodAutoscaler")
        for metric in each["spec"]["metrics"]
    ]
    scaled = release.all("ScaledObject")
    kinds = {
        *(metric["type"] for metric in metrics),
        *(trigger["type"] for each in scaled for trigger in each["spec"]["triggers"]),
    }
    assert ("kubectl top pods" in release.notes) is bool(kinds & {"ContainerResource", "cpu"})
    assert ("custom.metrics.k8s.io" in release.notes) is ("Pods" in kinds)
    assert ("external.metrics.k8s.io" in release.notes) is ("External" in kinds)
    assert ("describe scaledobjects" in release.notes) is bool(scaled)


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ("ingress", "ws://a.example/ws"),
        ("ingress with TLS", "wss://a.example/ws"),
        ("route", "a.example/ws"),
    ],
)
def test_address_is_that_of_the_front(front: str, expected: str) -> None:
    assert expected in render(CHOICES["front"][front]).notes


@pytest.mark.parametrize("service", CHOICES["service"])
def test_address_is_that_of_the_service(service: str) -> None:
    release = render(CHOICES["service"][service])
    port = release.one("Service", "gateway")["spec"]["ports"][0]["port"]
    expected = {
        "ClusterIP": f"port-forward service/talk-scripta-gateway 8000:{port}",
        "NodePort": "jsonpath='{.spec.ports[0].nodePort}'",
        "LoadBalancer": f"ws://ADDRESS:{port}/ws",
    }
    assert expected[service] in release.notes


def test_ports_without_keys_are_said_to_be_open_to_all_who_reach_them() -> None:
    assert "MAY SPEAK" not in render().notes
    settings = {"voskPort": 2700, "wyomingPort": 10300}
    listed: dict[str, Any] = {"vosk": {"from": [{"podSelector": {}}]}}
    values = {"gateway": {"settings": settings, "openPorts": listed}}
    notes = render(values).notes
    assert "EVERYBODY WHO REACHES SUCH A PORT MAY SPEAK" in notes
    assert f"ws://talk-scripta-gateway-vosk.{NAMESPACE}.svc:2700" in notes
    assert f"tcp://talk-scripta-gateway-wyoming.{NAMESPACE}.svc:10300" in notes
    assert "Who is listed in gateway.openPorts.vosk.from reaches it" in notes
    assert "Nobody reaches it yet: list who may in gateway.openPorts.wyoming.from" in notes
    open_to_all = render(merged(values, {"networkPolicy": {"enabled": False}})).notes
    assert open_to_all.count("Every pod of the cluster reaches it") == 2


@pytest.mark.parametrize("front", CHOICES["front"])
def test_plain_text_is_warned_of(front: str) -> None:
    notes = render(CHOICES["front"][front]).notes
    assert ("Nothing here encrypts" in notes) is (front in ("none", "ingress"))


def test_trial_broker_mock_engine_and_cpu_limit_are_pointed_out() -> None:
    plain = render().notes
    assert "for trials" in plain
    odd = render(
        merged(
            CHOICES["broker"]["one server"],
            {"pools": {"a": {"engine": "mock", "resources": {"limits": {"cpu": "1"}}}}},
        )
    ).notes
    assert "for trials" not in odd
    assert "The pool a runs the mock engine" in odd
    assert "The pool a has a CPU limit" in odd
    assert (
        "The pool a runs the mock engine"
        in render({"pools": {"a": {"engine": "moonshine,mock"}}}).notes
    )
