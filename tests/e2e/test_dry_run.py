"""What can be said of the suite without a cluster: that the chart makes what it looks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from chart import kubernetes_schemas, network, pod_security
from chart.rendering import Pod, Release, merged, render

from .manifests import CLIENT_PATH, VOICES_PATH, all_of_them, client_config, client_pod
from .release import (
    BROKER,
    COMPONENTS,
    CONTAINERS,
    GATEWAY,
    INSTANCE_LABEL,
    KINDS,
    METRICS_PORT,
    PORTS,
    TRANSCRIBER,
    gauge,
    kind_of,
    object_name,
    password_name,
)
from .settings import E2ESettings, new_namespace
from .speech import voices
from .values import ValuesFiles, autoscaled_values, base_values

pytestmark = pytest.mark.chart

BASE = base_values(E2ESettings())
UPGRADES: Mapping[str, dict[str, Any]] = {
    "base": {},
    "level": {"logs": {"level": "WARNING"}, "transcriber": {"slots": 16}},
    "pool": {"pools": {"default": {}, "second": {"engine": "mock"}}},
    "autoscaled": autoscaled_values(),
}


def rendered(changes: Mapping[str, Any], release: str = "scripta") -> Release:
    return render(merged(BASE, changes), release=release)


@pytest.mark.parametrize("changes", UPGRADES.values(), ids=UPGRADES)
def test_chart_takes_the_values(changes: dict[str, Any]) -> None:
    assert rendered(changes).all("Deployment")


@pytest.mark.parametrize("name", ["scripta", "my-scripta", "speech"])
@pytest.mark.parametrize("component", COMPONENTS)
def test_chart_makes_what_the_suite_looks_for(component: str, name: str) -> None:
    release = rendered({}, name)
    workload = release.one(
        {"deployment": "Deployment", "statefulset": "StatefulSet"}[kind_of(component)], component
    )
    assert workload["metadata"]["name"] == object_name(name, component)
    assert workload["metadata"]["labels"][INSTANCE_LABEL] == name
    pod = release.pod(component)
    assert pod.labels[INSTANCE_LABEL] == name
    container = pod.containers[0]
    assert container["name"] == CONTAINERS[component]
    numbers = [port["containerPort"] for port in container["ports"]]
    assert PORTS[component] in numbers
    assert (METRICS_PORT in numbers) is (component != BROKER)


@pytest.mark.parametrize("name", ["scripta", "speech"])
def test_broker_has_the_password_that_the_suite_looks_for(name: str) -> None:
    (secret,) = rendered({}, name).all("Secret")
    assert secret["metadata"]["name"] == password_name(name)


@pytest.mark.parametrize("component", [GATEWAY, BROKER])
def test_service_leads_to_the_port_that_the_suite_uses(component: str) -> None:
    release = rendered({})
    service = release.one("Service", component)
    assert service["metadata"]["name"] == object_name("scripta", component)
    (port,) = service["spec"]["ports"]
    assert release.pod(component).port(port["targetPort"]) == PORTS[component]


def test_ordinary_release_has_the_pods_that_tests_count_and_no_autoscaler() -> None:
    release = rendered({})
    replicas = {
        each: release.one("Deployment", each)["spec"]["replicas"] for each in (GATEWAY, TRANSCRIBER)
    }
    assert replicas == {GATEWAY: 2, TRANSCRIBER: 1}
    assert not release.all("HorizontalPodAutoscaler")
    data = [each for each in release.pod(BROKER).spec["volumes"] if each["name"] == "data"]
    assert "emptyDir" in data[0]


def test_everything_fits_a_node_with_two_cores_besides_the_cluster_itself() -> None:
    release = rendered({})
    cores = {each: cpu(release.pod(each).containers[0]) for each in COMPONENTS}
    # Three transcribers and a surge of one, two gateways likewise, the suite's two clients.
    most = 4 * cores[TRANSCRIBER] + 3 * cores[GATEWAY] + cores[BROKER] + 2 * 50
    assert most <= 800


def cpu(container: Mapping[str, Any]) -> int:
    return int(container["resources"]["requests"]["cpu"].removesuffix("m"))


def test_upgrade_reaches_both_services_and_leaves_the_broker_alone() -> None:
    before, after = rendered({}), rendered(UPGRADES["level"])
    for component in (GATEWAY, TRANSCRIBER):
        container = after.pod(component).containers[0]
        env = {each["name"]: each.get("value") for each in container["env"]}
        assert env["LOG_LEVEL"] == "WARNING"
        assert before.pod(component).spec != after.pod(component).spec
    assert env["SLOTS"] == "16"
    assert before.one("StatefulSet", BROKER) == after.one("StatefulSet", BROKER)


def test_pool_that_is_added_rolls_no_pod_that_was_there() -> None:
    before, after = rendered({}), rendered(UPGRADES["pool"])
    for component in (GATEWAY, TRANSCRIBER):
        workloads = [each.one("Deployment", component) for each in (before, after)]
        assert workloads[0]["spec"]["template"] == workloads[1]["spec"]["template"]
    added = after.one("Deployment", f"{TRANSCRIBER}-second")
    assert added["metadata"]["name"] == object_name("scripta", f"{TRANSCRIBER}-second")


def test_autoscaler_of_the_suite_acts_on_the_load_of_one_pod_and_soon_after_it() -> None:
    (hpa,) = rendered(UPGRADES["autoscaled"]).all("HorizontalPodAutoscaler")
    assert hpa["spec"]["scaleTargetRef"]["name"] == object_name("scripta", TRANSCRIBER)
    assert (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (1, 2)
    assert hpa["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 15
    assert hpa["spec"]["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 0


def test_comparison_of_objects_knows_every_kind_that_the_chart_makes() -> None:
    for changes in UPGRADES.values():
        made = {each["kind"].lower() for each in rendered(changes).objects} - {"pod"}
        assert made <= set(map(singular, KINDS))


def singular(kind: str) -> str:
    return kind.removesuffix("s").replace("ingresse", "ingress").replace("policie", "policy")


def test_own_test_of_the_chart_leaves_nothing_if_it_succeeds() -> None:
    hooks = [
        each["metadata"]["annotations"]
        for each in rendered({}).objects
        if "helm.sh/hook" in each["metadata"].get("annotations", {})
    ]
    assert hooks
    for hook in hooks:
        assert hook["helm.sh/hook"] == "test"
        assert "hook-succeeded" in hook["helm.sh/hook-delete-policy"]


@pytest.mark.parametrize("version", [kubernetes_schemas.OLDEST, kubernetes_schemas.NEWEST])
def test_own_objects_are_valid(version: str) -> None:
    for manifest in all_of_them(E2ESettings()):
        assert not list(kubernetes_schemas.errors(manifest, version))


def test_own_pods_satisfy_the_standard_that_their_namespace_enforces() -> None:
    pods = [each for each in all_of_them(E2ESettings()) if each["kind"] == "Pod"]
    assert len(pods) == 2
    for each in pods:
        pod = Pod(each, each["metadata"]["labels"], {}, each["spec"])
        assert not list(pod_security.violations(pod))


def test_client_mounts_what_it_is_told_to_run() -> None:
    """Guards a client that looks for its program or a voice where nothing is mounted."""
    pod = client_pod("e2e-client", ("image:1", "Never"), [])
    made = {each["metadata"]["name"]: set(each["binaryData"]) for each in client_config()}
    (container,) = pod["spec"]["containers"]
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    found: set[str] = set()
    for volume in pod["spec"]["volumes"]:
        sources = volume.get("projected", {}).get("sources", [])
        names = [volume["configMap"]["name"]] if "configMap" in volume else []
        for name in [*names, *(source["configMap"]["name"] for source in sources)]:
            found |= {f"{mounts[volume['name']]}/{key}" for key in made[name]}
    assert found == {CLIENT_PATH, *(f"{VOICES_PATH}/{voice.name}.pcm" for voice in voices())}


def test_outsider_has_nothing_that_the_broker_lets_in() -> None:
    """Guards a network test that passes because its pod looks like a service, or is cut off."""
    release = rendered({})
    pod = client_pod("e2e-outsider", ("image:1", "Never"), [])
    outsider = network.Peer(pod["metadata"]["labels"])
    gateway, broker = (network.Peer.of(release.pod(each)) for each in (GATEWAY, BROKER))
    assert network.allowed(release, outsider, gateway, PORTS[GATEWAY])
    assert not network.allowed(release, outsider, broker, PORTS[BROKER])
    assert network.allowed(release, gateway, broker, PORTS[BROKER])


def test_settings_refuse_namespaces_that_are_not_the_suites() -> None:
    for name in ("default", "kube-system", "kube-public"):
        with pytest.raises(ValidationError, match="does not touch"):
            E2ESettings(namespace=name)
    assert new_namespace() != new_namespace()


def test_images_pull_policy_and_values_of_the_caller_reach_helm(tmp_path: Path) -> None:
    settings = E2ESettings(
        gateway_image="registry:5000/own/gateway:1.2",
        broker_image="valkey/valkey:9",
        pull_policy="Never",
        node_address="10.0.0.1",
        set="logs.format=human test.timeoutSeconds=60",
        values=str(tmp_path / "own.yaml"),
    )
    arguments = ValuesFiles(tmp_path, settings).arguments({"logs": {"level": "DEBUG"}})
    files = [arguments[at + 1] for at, each in enumerate(arguments) if each == "--values"]
    assert files[1] == str(tmp_path / "own.yaml")
    base, changes = (yaml.safe_load(Path(path).read_text()) for path in (files[0], files[2]))
    assert changes == {"logs": {"level": "DEBUG"}}
    assert arguments[-4:] == ["--set", "logs.format=human", "--set", "test.timeoutSeconds=60"]
    release = render(base, release="scripta")
    gateway, broker = (release.pod(each).containers[0] for each in (GATEWAY, BROKER))
    assert gateway["image"] == "registry:5000/own/gateway:1.2"
    assert broker["image"] == "valkey/valkey:9"
    assert gateway["imagePullPolicy"] == broker["imagePullPolicy"] == "Never"
    assert release.one("Service", GATEWAY)["spec"]["type"] == "NodePort"


def test_gauge_is_read_by_its_labels() -> None:
    scrape = '# TYPE a gauge\na{pool="default"} 3.0\na{pool="other"} 4.0\n'
    assert gauge(scrape, "a", pool="default") == 3.0
    assert gauge(scrape, "a", pool="missing") is None
