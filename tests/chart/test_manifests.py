"""The plain manifests of k8s/: what the chart says today, usable without Helm; and the values files
beside them."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import kubernetes_validate
import pytest
import yaml

from .rendering import ROOT, Object, Values, chart, read, render

pytestmark = pytest.mark.chart

K8S = ROOT / "k8s"
FLAVOURS = ["embedded-broker", "external-broker"]
IMAGES = {"scripta-gateway", "scripta-transcriber"}
VALUES_OF_OTHER_CHARTS = {
    "k8s/metrics-server/values.yaml",
    "k8s/keda/values.yaml",
    "k8s/monitoring/values.yaml",
    "k8s/monitoring/adapter-values.yaml",
}


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script that makes the manifests."""
    spec = importlib.util.spec_from_file_location("render", K8S / "render.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def objects(flavour: str) -> list[Object]:
    text = (K8S / "manifests" / flavour / "scripta.yaml").read_text()
    return read(text)


def names(found: list[Object]) -> set[tuple[str, str]]:
    return {(each["kind"], each["metadata"]["name"]) for each in found}


def containers(found: list[Object]) -> list[Object]:
    return [
        container
        for each in found
        if each["kind"] in ("Deployment", "StatefulSet")
        for container in each["spec"]["template"]["spec"]["containers"]
    ]


def rendered(values: Values) -> list[Object]:
    """Returns the objects that Helm would install, which its tests are not among."""
    return [
        each
        for each in render(values, release="scripta").objects
        if "helm.sh/hook" not in each["metadata"].get("annotations", {})
    ]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_manifests_are_what_the_chart_renders_today(script: ModuleType, flavour: str) -> None:
    for name, text in script.files(flavour).items():
        found = (K8S / "manifests" / flavour / name).read_text()
        assert found == text, f"{flavour}/{name} has grown old: run `make manifests`"


def test_no_manifest_is_there_that_nobody_makes(script: ModuleType) -> None:
    made = {f"{flavour}/{name}" for flavour in script.FLAVOURS for name in script.files(flavour)}
    folder = K8S / "manifests"
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == made
    assert set(script.FLAVOURS) == set(FLAVOURS)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_manifests_hold_every_object_of_the_chart(script: ModuleType, flavour: str) -> None:
    """Guards a split or a filter of the text that swallows an object."""
    whole = names(rendered(script.FLAVOURS[flavour]))
    assert names(objects(flavour)) == whole | {("Namespace", "scripta")}
    assert len(objects(flavour)) == len(whole) + 1


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_objects_lie_in_the_namespace_and_know_nothing_of_helm(flavour: str) -> None:
    for each in objects(flavour):
        if each["kind"] != "Namespace":
            assert each["metadata"]["namespace"] == "scripta"
    text = (K8S / "manifests" / flavour / "scripta.yaml").read_text()
    assert "helm.sh" not in text
    assert "Helm" not in text


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_objects_are_valid_where_the_newest_kubernetes_runs(flavour: str) -> None:
    for each in objects(flavour):
        kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)


def test_only_the_flavour_with_a_broker_of_its_own_has_one() -> None:
    assert ("StatefulSet", "scripta-broker") in names(objects("embedded-broker"))
    external = objects("external-broker")
    assert not [name for _, name in names(external) if name.endswith("broker")]
    for container in containers(external):
        url = next(each for each in container["env"] if each["name"] == "REDIS_URL")
        assert url["valueFrom"]["secretKeyRef"] == {"name": "scripta-broker", "key": "url"}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_kustomize_names_the_images_of_your_own_registry(flavour: str, tmp_path: Path) -> None:
    """The way that the README shows; guards an image name that kustomize would not find."""
    kubectl = shutil.which("kubectl")
    if not kubectl:
        pytest.skip("needs kubectl")
    folder = tmp_path / flavour
    shutil.copytree(K8S / "manifests" / flavour, folder)
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    for image in kustomization["images"]:
        image |= {"newName": f"registry.example/{image['name']}", "newTag": "7"}
    kustomization["namespace"] = "elsewhere"
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    built = subprocess.run(
        [kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=60, check=True
    )
    found = list(yaml.safe_load_all(built.stdout))
    images = {container["image"] for container in containers(found)}
    assert {f"registry.example/{image}:7" for image in IMAGES} <= images
    assert not images & {f"{image}:0.1.0" for image in IMAGES}
    assert {each["metadata"].get("namespace", "elsewhere") for each in found} == {"elsewhere"}
    assert ("Namespace", "elsewhere") in names(found)


def test_every_values_file_for_the_chart_renders_with_it() -> None:
    """Guards a value that the chart has renamed: its schema refuses what it does not know."""
    paths = {str(path.relative_to(ROOT)) for path in K8S.rglob("*values.yaml")}
    assert paths > VALUES_OF_OTHER_CHARTS
    for path in paths - VALUES_OF_OTHER_CHARTS:
        chart().validate_schema(load(path))
        assert rendered(load(path)), path


def test_the_node_port_of_a_laptop_is_the_one_that_kind_maps() -> None:
    node = load("k8s/kind.yaml")["nodes"][0]
    port = load("k8s/laptop-values.yaml")["gateway"]["service"]["nodePort"]
    assert port in [mapping["containerPort"] for mapping in node["extraPortMappings"]]


def test_a_laptop_of_two_cores_holds_the_installation_and_what_watches_it() -> None:
    """Guards pods that stay Pending: system pods of kind reserve about 950m."""
    found = rendered(load("k8s/laptop-values.yaml"))
    requests = [container["resources"]["requests"]["cpu"] for container in containers(found)]
    assert sum(int(str(each).removesuffix("m")) for each in requests) <= 500


def test_mode_keda_makes_no_hpa_for_the_same_pods() -> None:
    found = rendered(load("k8s/keda/scripta-values.yaml"))
    assert ("ScaledObject", "scripta-transcriber") in names(found)
    assert ("HorizontalPodAutoscaler", "scripta-transcriber") not in names(found)


def metrics_of_hpas() -> dict[str, set[str]]:
    """Returns the metrics that HPAs ask an adapter for: kind of API to names."""
    found: dict[str, set[str]] = {"external": set(), "custom": set()}
    for each in rendered(load("k8s/monitoring/demand-values.yaml")):
        if each["kind"] != "HorizontalPodAutoscaler":
            continue
        for metric in each["spec"]["metrics"]:
            if metric["type"] == "External":
                found["external"].add(metric["external"]["metric"]["name"])
                selector = metric["external"]["metric"]["selector"]["matchLabels"]
                assert selector == {"pool": "default"}
            elif metric["type"] == "Pods":
                found["custom"].add(metric["pods"]["metric"]["name"])
    return found


def test_the_adapter_serves_what_the_hpas_ask_for_and_no_more() -> None:
    rules = load("k8s/monitoring/adapter-values.yaml")["rules"]
    served = {
        api: {rule["seriesQuery"].partition("{")[0] for rule in rules[api]}
        for api in ("external", "custom")
    }
    assert served == metrics_of_hpas()
    assert all(served.values())


def query(rule: dict[str, Any], matchers: str, group: str) -> str:
    """Returns what the adapter asks Prometheus for."""
    filled = {
        "<<.Series>>": rule["seriesQuery"].partition("{")[0],
        "<<.LabelMatchers>>": matchers,
        "<<.GroupBy>>": group,
    }
    return re.sub(r"<<\.\w+>>", lambda found: filled[found[0]], rule["metricsQuery"])


def test_the_adapter_counts_demand_once_however_many_gateways_export_it(tmp_path: Path) -> None:
    """Guards a sum, which would ask for twice the transcribers with two gateways."""
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("needs promtool (Debian: prometheus)")
    rules = load("k8s/monitoring/adapter-values.yaml")["rules"]
    demand = query(rules["external"][0], 'pool="default",namespace="a"', "")
    sessions = query(rules["custom"][0], 'namespace="a",pod=~"one|two"', "pod")
    series = [
        ('scripta_demand_sessions{namespace="a",pod="one",pool="default"}', "9"),
        ('scripta_demand_sessions{namespace="a",pod="two",pool="default"}', "9"),
        ('scripta_demand_sessions{namespace="a",pod="one",pool="gpu"}', "4"),
        ('scripta_demand_sessions{namespace="b",pod="three",pool="default"}', "50"),
        ('scripta_gateway_sessions{namespace="a",pod="one"}', "3"),
        ('scripta_gateway_sessions{namespace="a",pod="two"}', "5"),
    ]
    test = {
        "rule_files": [],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": value} for name, value in series],
                "promql_expr_test": [
                    {
                        "expr": demand,
                        "exp_samples": [{"labels": '{namespace="a",pool="default"}', "value": 9}],
                    },
                    {
                        "expr": sessions,
                        "exp_samples": [
                            {"labels": '{pod="one"}', "value": 3},
                            {"labels": '{pod="two"}', "value": 5},
                        ],
                    },
                ],
            }
        ],
    }
    path = tmp_path / "adapter.yaml"
    path.write_text(yaml.safe_dump(test))
    run = subprocess.run(
        [promtool, "test", "rules", str(path)], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_grafana_and_prometheus_find_what_the_chart_makes() -> None:
    found = rendered(load("k8s/monitoring/scripta-values.yaml"))
    assert {"PodMonitor", "PrometheusRule"} <= {each["kind"] for each in found}
    stack = load("k8s/monitoring/values.yaml")
    spec = stack["prometheus"]["prometheusSpec"]
    # The chart labels neither, so Prometheus must not select by its release's label.
    assert spec["podMonitorSelectorNilUsesHelmValues"] is False
    assert spec["ruleSelectorNilUsesHelmValues"] is False
    sidecar = stack["grafana"]["sidecar"]["dashboards"]
    dashboards = [each for each in found if "dashboard" in each["metadata"]["name"]]
    assert dashboards
    for each in dashboards:
        assert each["metadata"]["labels"][sidecar["label"]] == sidecar["labelValue"]
        assert sidecar["folderAnnotation"] in each["metadata"]["annotations"]


def test_the_readme_names_files_and_targets_that_exist() -> None:
    text = (K8S / "README.md").read_text()
    paths = set(re.findall(r"(?<![\w/.])(?:k8s|charts)/[\w./-]+", text))
    assert len(paths) > 8
    assert [path for path in paths if not (ROOT / path).exists()] == []
    targets = set(re.findall(r"(?m)^([\w-]+):", (ROOT / "Makefile").read_text()))
    assert set(re.findall(r"\bmake ([\w-]+)", text)) <= targets


def test_the_readme_installs_the_versions_that_the_values_are_for() -> None:
    readme = (K8S / "README.md").read_text()
    installed = re.findall(r"helm install \S+ (\S+) --version (\S+)", readme)
    described = [
        re.search(r"the chart (\S+) (\d+\.\d+\.\d+)", (ROOT / path).read_text())
        for path in VALUES_OF_OTHER_CHARTS
    ]
    assert sorted(installed) == sorted(found.groups() for found in described if found)
    assert len(installed) == len(VALUES_OF_OTHER_CHARTS)
