"""skaffold.yaml, as far as it can be held to account without Skaffold: its fields, the paths that
it names, and what its profiles make of the chart."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

from .rendering import CHART, ROOT, Object, Values, chart, merged, render

pytestmark = pytest.mark.chart

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
PROFILES = {profile["name"]: profile for profile in CONFIG["profiles"]}
COMBINATIONS = [
    names for count in range(len(PROFILES) + 1) for names in itertools.permutations(PROFILES, count)
]

FORWARD = {
    "resourceType": str,
    "resourceName": str,
    "namespace": str,
    "port": int,
    "localPort": int,
    "address": str,
}
RELEASE = {
    "name": str,
    "chartPath": str,
    "namespace": str,
    "createNamespace": bool,
    "skipBuildDependencies": bool,
    "valuesFiles": [str],
    "setValues": {str: object},
    "setValueTemplates": {str: str},
    "wait": bool,
}
ARTIFACT = {
    "image": str,
    "context": str,
    "docker": {"dockerfile": str, "target": str, "buildArgs": {str: str}},
}
PIPELINE: dict[Any, Any] = {
    "build": {
        "tagPolicy": {"inputDigest": {}},
        "local": {"push": bool, "useBuildkit": bool, "concurrency": int},
        "artifacts": [ARTIFACT],
    },
    "manifests": {"rawYaml": [str]},
    "deploy": {
        "statusCheck": bool,
        "statusCheckDeadlineSeconds": int,
        "tolerateFailuresUntilDeadline": bool,
        "helm": {"releases": [RELEASE]},
        "kubectl": {"defaultNamespace": str},
    },
    "portForward": [FORWARD],
}
SHAPE = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str},
    **PIPELINE,
    "profiles": [{"name": str, "patches": [{"op": str, "path": str, "value": object}], **PIPELINE}],
}
"""The fields of skaffold/v4beta11 (Skaffold 2.12) that may be of use here, and their types."""


def misfits(value: Any, shape: Any, at: str = "") -> Iterator[str]:
    """Yields what Skaffold would refuse: it knows no field beyond its own."""
    if isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{at} is no list"
            return
        for index, each in enumerate(value):
            yield from misfits(each, shape[0], f"{at}/{index}")
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            yield f"{at} is no map"
            return
        for name, each in value.items():
            if name not in shape and str not in shape:
                yield f"{at}/{name} is no field"
            else:
                yield from misfits(each, shape.get(name, shape.get(str)), f"{at}/{name}")
    elif type(value) is not shape and shape is not object:
        yield f"{at} is no {shape.__name__}"


def applied(names: tuple[str, ...]) -> dict[str, Any]:
    """Returns the configuration with profiles, as Skaffold applies them: in their order.

    Raises:
        LookupError: A patch leads nowhere.
    """
    config = copy.deepcopy(CONFIG)
    for name in names:
        for patch in PROFILES[name]["patches"]:
            _patch(config, patch)
    return config


def _patch(config: dict[str, Any], patch: Mapping[str, Any]) -> None:
    *parents, last = patch["path"].removeprefix("/").split("/")
    place: Any = config
    for step in parents:
        place = place[int(step)] if isinstance(place, list) else place[step]
    value = copy.deepcopy(patch["value"])
    if isinstance(place, list) and last == "-":
        assert patch["op"] == "add"
        place.append(value)
    elif isinstance(place, list):
        assert patch["op"] == "replace"
        place[int(last)] = value
    else:
        assert (last in place) == (patch["op"] == "replace"), patch
        place[last] = value


def values_of(release: dict[str, Any], tag: str, digest: str) -> dict[str, Any]:
    """Returns the values that Skaffold gives to Helm for images of one tag and digest."""
    layers = [yaml.safe_load((ROOT / path).read_text()) for path in release["valuesFiles"]]
    for name, template in release["setValueTemplates"].items():
        found = re.fullmatch(r"\{\{\.IMAGE_(REPO|TAG|DIGEST)_(\w+)\}\}", template)
        assert found, template
        image = found[2].replace("_", "-")
        text = {"REPO": image, "TAG": tag, "DIGEST": digest}[found[1]]
        layers.append(helm_python.parse_set_string_values(f"{name}={text}"))
    return merged(*layers)


def load_objects() -> list[Object]:
    """Returns what the profile `load` installs beside the chart."""
    (path,) = applied(("load",))["manifests"]["rawYaml"]
    return list(yaml.safe_load_all((ROOT / path).read_text()))


def rendered(config: Values, tag: str = "f00d", digest: str = "") -> list[Object]:
    (release,) = config["deploy"]["helm"]["releases"]
    assert ROOT / release["chartPath"] == CHART
    values = values_of(release, tag, digest)
    chart().validate_schema(values)
    return render(values, release=release["name"]).objects


def images(found: list[Object]) -> set[str]:
    return {
        container["image"]
        for each in found
        if each["kind"] == "Deployment"
        for container in each["spec"]["template"]["spec"]["containers"]
    }


def test_the_version_of_the_schema_is_the_one_that_the_fields_are_of() -> None:
    assert CONFIG["apiVersion"] == "skaffold/v4beta11"
    assert CONFIG["kind"] == "Config"


@pytest.mark.parametrize("names", COMBINATIONS, ids=lambda names: "+".join(names) or "none")
def test_profiles_go_together_in_any_order(names: tuple[str, ...]) -> None:
    """Guards a patch that leads nowhere, or only where another one has been."""
    config = applied(names)
    assert list(misfits(config, SHAPE)) == []
    assert sorted(map(repr, config["portForward"])) == sorted(
        map(repr, applied(tuple(sorted(names)))["portForward"])
    )


def test_a_field_that_skaffold_does_not_know_is_found() -> None:
    config = copy.deepcopy(CONFIG)
    config["build"]["artifacts"][0]["docker"]["dockerFile"] = "Dockerfile"
    config["portForward"][0]["port"] = "eighty"
    assert list(misfits(config, SHAPE)) == [
        "/build/artifacts/0/docker/dockerFile is no field",
        "/portForward/0/port is no int",
    ]


def test_every_path_that_is_named_exists() -> None:
    config = applied(tuple(PROFILES))
    releases = config["deploy"]["helm"]["releases"]
    paths = [
        *(artifact["context"] for artifact in config["build"]["artifacts"]),
        *(artifact["docker"]["dockerfile"] for artifact in config["build"]["artifacts"]),
        *(release["chartPath"] for release in releases),
        *(path for release in releases for path in release["valuesFiles"]),
        *CONFIG["deploy"]["helm"]["releases"][0]["valuesFiles"],
        *config["manifests"]["rawYaml"],
    ]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_image_is_built_from_what_its_dockerfile_copies() -> None:
    """Guards a context in which a path of the Dockerfile would not be found."""
    for artifact in applied(tuple(PROFILES))["build"]["artifacts"]:
        context = ROOT / artifact["context"]
        text = (ROOT / artifact["docker"]["dockerfile"]).read_text()
        copies = re.findall(r"(?m)^COPY (?!--from)(.+)$", text.replace("\\\n", " "))
        sources = [source for copy_ in copies for source in copy_.split()[:-1]]
        assert sources
        missing = [s for s in sources if not s.startswith("--") and not list(context.glob(s))]
        assert missing == [], artifact["image"]


@pytest.mark.parametrize(
    ("digest", "suffix"),
    [("", ":f00d"), (f"sha256:{'0' * 64}", f"@sha256:{'0' * 64}")],
    ids=["local", "pushed"],
)
def test_the_chart_runs_the_images_that_were_built(digest: str, suffix: str) -> None:
    built = {f"{artifact['image']}{suffix}" for artifact in CONFIG["build"]["artifacts"]}
    assert images(rendered(CONFIG, digest=digest)) == built


def test_every_port_that_is_forwarded_is_served() -> None:
    config = applied(tuple(PROFILES))
    served = {
        (
            each["kind"].lower(),
            each["metadata"]["name"],
            port.get("port", port.get("containerPort")),
        )
        for each in [*rendered(config), *load_objects()]
        if each["kind"] in ("Service", "Deployment")
        for port in each["spec"].get("ports")
        or each["spec"]["template"]["spec"]["containers"][0]["ports"]
    }
    ours = [each for each in config["portForward"] if each["namespace"] == "scripta"]
    assert len(ours) == 2
    for each in ours:
        assert (each["resourceType"], each["resourceName"], each["port"]) in served


def test_local_ports_do_not_meet() -> None:
    taken = [each["localPort"] for each in applied(tuple(PROFILES))["portForward"]]
    kind = yaml.safe_load((ROOT / "k8s/kind.yaml").read_text())
    taken += [mapping["hostPort"] for mapping in kind["nodes"][0]["extraPortMappings"]]
    assert len(set(taken)) == len(taken)


def environment(found: list[Object], name: str) -> dict[str, str]:
    deployment = next(
        each for each in found if each["kind"] == "Deployment" and each["metadata"]["name"] == name
    )
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return {each["name"]: each.get("value", "") for each in container["env"]}


def test_development_leaves_the_number_of_pods_alone() -> None:
    kinds = {each["kind"] for each in rendered(CONFIG)}
    assert "HorizontalPodAutoscaler" not in kinds


def test_each_profile_does_what_it_is_for() -> None:
    assert environment(rendered(CONFIG), "scripta-transcriber")["ENGINE"] == "moonshine"
    mock = rendered(applied(("mock",)))
    assert environment(mock, "scripta-transcriber")["ENGINE"] == "mock"
    monitoring = {each["kind"] for each in rendered(applied(("monitoring",)))}
    assert {"PodMonitor", "PrometheusRule"} <= monitoring
    load = {each["kind"] for each in rendered(applied(("load",)))}
    assert "HorizontalPodAutoscaler" in load


def test_the_load_goes_to_the_gateway_of_the_release_and_nowhere_else() -> None:
    config = applied(("load",))
    release = rendered(config)
    deployment, policy = load_objects()
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment["LOCUST_HOST"] == "ws://scripta-gateway/ws"
    assert ("Service", "scripta-gateway") in {(e["kind"], e["metadata"]["name"]) for e in release}
    (gateways,) = policy["spec"]["egress"][1]["to"]
    pods = next(
        each["spec"]["template"]
        for each in release
        if each["kind"] == "Deployment" and each["metadata"]["name"] == "scripta-gateway"
    )
    wanted = gateways["podSelector"]["matchLabels"]
    assert wanted.items() <= pods["metadata"]["labels"].items()
    ports = {port["name"] for port in pods["spec"]["containers"][0]["ports"]}
    assert policy["spec"]["egress"][1]["ports"][0]["port"] in ports


def test_the_load_is_the_image_that_is_built_in_the_namespace_of_the_release() -> None:
    config = applied(("load",))
    deployment, policy = load_objects()
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    # Skaffold puts the built image in the place of one of the same name.
    assert image.partition(":")[0] in {each["image"] for each in config["build"]["artifacts"]}
    namespace = config["deploy"]["helm"]["releases"][0]["namespace"]
    for each in (deployment, policy):
        assert each["metadata"]["namespace"] == namespace
        kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)
