"""Everything that selects or names something finds exactly what it is meant for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from .cases import cases
from .rendering import Pod, Release, Values, component_of, render
from .selecting import selects

pytestmark = pytest.mark.chart

CONTROLLERS = ("Deployment", "StatefulSet")

each_case = pytest.mark.parametrize("values", cases().values(), ids=cases())


def matched(release: Release, selector: Mapping[str, Any]) -> set[str]:
    return {pod.component for pod in release.pods() if selects(selector, pod.labels)}


@each_case
def test_controllers_select_their_own_pods_and_no_others(values: Values) -> None:
    release = render(values)
    for kind in CONTROLLERS:
        for each in release.all(kind):
            assert matched(release, each["spec"]["selector"]) == {component_of(each)}


@pytest.mark.parametrize("values", [{}, {"commonLabels": {"team": "a"}}, {"nameOverride": "x"}])
def test_selectors_hold_only_what_never_changes(values: Values) -> None:
    """Guards upgrades: a Deployment's selector can not be changed."""
    for kind in CONTROLLERS:
        for each in render(values).all(kind):
            assert each["spec"]["selector"] == {
                "matchLabels": {
                    "app.kubernetes.io/name": values.get("nameOverride", "scripta"),
                    "app.kubernetes.io/instance": "talk",
                    "app.kubernetes.io/component": component_of(each),
                }
            }


@each_case
def test_services_lead_to_a_port_of_their_component(values: Values) -> None:
    release = render(values)
    assert {component_of(each) for each in release.all("Service")} <= {"gateway", "broker"}
    for each in release.all("Service"):
        spec = each["spec"]
        (component,) = matched(release, {"matchLabels": spec["selector"]})
        assert component == component_of(each)
        for port in spec["ports"]:
            assert release.pod(component).port(port["targetPort"]) in (8000, 6379, 2700, 10300)


@each_case
def test_budgets_cover_one_component_each_and_allow_drains(values: Values) -> None:
    release = render(values)
    for each in release.all("PodDisruptionBudget"):
        assert matched(release, each["spec"]["selector"]) == {component_of(each)}
        assert each["spec"]["maxUnavailable"] != 0
        assert "minAvailable" not in each["spec"]


@each_case
def test_policies_cover_one_component_each_and_leave_none_out(values: Values) -> None:
    release = render(values)
    policies = release.all("NetworkPolicy")
    for each in policies:
        assert matched(release, each["spec"]["podSelector"]) == {component_of(each)}
    if policies:
        covered = {component_of(each) for each in policies}
        assert covered == {pod.component for pod in release.pods()} - {"test"}


@each_case
def test_autoscalers_name_a_deployment_of_their_component(values: Values) -> None:
    release = render(values)
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        for each in release.all(kind):
            target = each["spec"]["scaleTargetRef"]
            assert (
                target["name"] == release.one("Deployment", component_of(each))["metadata"]["name"]
            )
            assert target.get("kind", "Deployment") == "Deployment"


@each_case
def test_monitor_scrapes_every_pod_with_metrics_once(values: Values) -> None:
    release = render(values)
    for each in release.all("PodMonitor"):
        ports = [endpoint["port"] for endpoint in each["spec"]["podMetricsEndpoints"]]
        scraped = [pod for pod in release.pods() if selects(each["spec"]["selector"], pod.labels)]
        assert {pod.component for pod in scraped} == _with_metrics(release)
        for pod in scraped:
            named = [port for port in ports if port in _port_names(pod)]
            assert len(named) == 1, "scraped twice, or not at all"
            assert "prometheus.io/scrape" not in pod.annotations or _says_no(pod)


def _says_no(pod: Pod) -> bool:
    return pod.annotations["prometheus.io/scrape"] == "false"


def _port_names(pod: Pod) -> set[str]:
    return {port["name"] for each in pod.containers for port in each.get("ports", [])}


def _with_metrics(release: Release) -> set[str]:
    return {
        pod.component
        for pod in release.pods()
        if pod.component == "gateway" or pod.component.startswith("transcriber")
    }


def test_annotations_name_the_port_that_serves_metrics() -> None:
    release = render()
    for component in _with_metrics(release):
        pod = release.pod(component)
        assert pod.annotations["prometheus.io/scrape"] == "true"
        assert pod.annotations["prometheus.io/path"] == "/metrics"
        assert pod.annotations["prometheus.io/port"] == "8001"
        assert pod.port("admin" if component == "gateway" else "health") == 8001


def test_metrics_are_scraped_from_the_only_port_if_there_is_no_other() -> None:
    values = {"gateway": {"settings": {"adminPort": 0}}}
    assert render(values).pod("gateway").annotations["prometheus.io/port"] == "8000"


def test_annotation_of_a_person_wins() -> None:
    pod = render({"gateway": {"podAnnotations": {"prometheus.io/scrape": "false"}}}).pod("gateway")
    assert pod.annotations["prometheus.io/scrape"] == "false"


@each_case
def test_default_container_exists(values: Values) -> None:
    for pod in render(values).pods():
        name = pod.annotations.get("kubectl.kubernetes.io/default-container")
        assert name is None or name in {each["name"] for each in pod.containers}


@each_case
def test_pods_of_a_component_are_kept_apart_from_each_other_only(values: Values) -> None:
    release = render(values)
    for pod in release.pods():
        for rule in pod.spec.get("topologySpreadConstraints", []):
            if "labelSelector" in rule:
                assert matched(release, rule["labelSelector"]) == {pod.component}


@each_case
def test_routes_and_stateful_sets_name_services_of_the_release(values: Values) -> None:
    release = render(values)
    name = release.one("Deployment", "gateway")["metadata"]["name"]
    (gateway,) = [each for each in release.all("Service") if each["metadata"]["name"] == name]
    (port,) = gateway["spec"]["ports"]
    for each in release.all("Ingress"):
        for rule in each["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                assert backend["name"] == gateway["metadata"]["name"]
                assert backend["port"] == {"name": port["name"]}
    for each in release.all("HTTPRoute"):
        for rule in each["spec"]["rules"]:
            assert rule["backendRefs"] == [
                {"name": gateway["metadata"]["name"], "port": port["port"]}
            ]
    for each in release.all("StatefulSet"):
        assert release.has("Service", each["spec"]["serviceName"])


@each_case
def test_pods_name_objects_of_the_release(values: Values) -> None:
    """Guards pods that would wait for a ConfigMap or an account for ever."""
    release = render(values)
    for pod in release.pods():
        account = pod.spec.get("serviceAccountName", "default")
        assert account == "default" or release.has("ServiceAccount", account)
        for volume in pod.spec.get("volumes", []):
            # The authorities of a mirror are in a ConfigMap that people make.
            if "configMap" in volume and volume["name"] != "models-ca":
                assert release.has("ConfigMap", volume["configMap"]["name"])


def test_broker_rolls_when_its_configuration_changes() -> None:
    def checksum(memory: str) -> str:
        release = render({"broker": {"embedded": {"maxMemory": memory}}})
        return release.pod("broker").annotations["checksum/config"]

    assert checksum("100mb") == checksum("100mb") != checksum("200mb")
