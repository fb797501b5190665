"""values.yaml, its schema and the templates know the same values, and each one is explained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import helm_python
import pytest

from .cases import cases, combined
from .rendering import CHART, chart, default, merged, read, render, texts, with_value

pytestmark = pytest.mark.chart

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text("utf-8"))
VALUES: dict[str, Any] = read((CHART / "values.yaml").read_text("utf-8"))[0]

FREE = {"affinity", "behavior", "requests", "limits", "pools"}
"""Maps whose keys are not the chart's."""

WORDS_OF_KUBERNETES = {
    *("repository", "tag", "digest", "pullPolicy", "resources", "requests", "limits", "strategy"),
    *("nodeSelector", "tolerations", "affinity", "priorityClassName", "runtimeClassName"),
    *("topologySpreadConstraints", "minReadySeconds", "podAnnotations", "podLabels"),
    *("annotations", "labels", "extraVolumes", "extraVolumeMounts", "extraEnv"),
    *("enabled", "name", "key", "size", "type", "port", "replicas", "maxUnavailable", "hosts"),
    *("minReplicas", "maxReplicas", "behavior", "className", "hostnames", "interval"),
    *("loadBalancerClass", "loadBalancerSourceRanges", "pollingInterval", "cooldownPeriod"),
}
"""Names that mean what they mean in Kubernetes (or in KEDA) and may go without a comment."""

OTHER: dict[str, object] = {
    "broker.embedded.maxMemory": "99mb",
    "broker.embedded.persistence.size": "9Gi",
    "broker.external.ports": [6379, 7000],
    "gateway.autoscaling.behavior": {"scaleDown": {"stabilizationWindowSeconds": 1}},
    "gateway.exposedPaths": [{"path": "/ws", "type": "Exact"}],
    "gateway.ingress.tls": [{"secretName": "other", "hosts": ["a.example"]}],
    "gateway.route.timeout": "1h",
    "gateway.route.parentRefs": [{"name": "another"}],
    "gateway.settings.drainSpreadSeconds": 1,
    "gateway.service.nodePort": 31000,
    "gateway.openPorts.vosk.service.nodePort": 31001,
    "gateway.openPorts.wyoming.service.nodePort": 31002,
    "gateway.settings.voskPort": 2701,
    "gateway.settings.wyomingPort": 10301,
    "gateway.settings.adminPort": 9001,
    "gateway.tls.certManager.duration": "2160h",
    "gateway.settings.allowedHosts": "speech.example.com",
    "gateway.settings.allowedOrigins": "https://speech.example.com",
    "gateway.settings.trustedProxies": "10.0.0.0/8",
    "transcriber.engine": "mock",
    "transcriber.models": [{"name": "whisper-base"}],
    "transcriber.modelImage": "registry.example/models:1",
    "transcriber.modelVolume.sizeLimit": "9Gi",
    "transcriber.modelVolume.claim.size": "9Gi",
    "transcriber.modelVolume.claim.accessModes": ["ReadWriteOnce"],
    "transcriber.autoscaling.behavior": {"scaleDown": {"stabilizationWindowSeconds": 1}},
    "transcriber.autoscaling.targetSlotUtilization": 0.25,
    "keda.brokerAddress": "elsewhere:6379",
    "keda.brokerKind": "cluster",
    "keda.prometheusAddress": "http://elsewhere",
    "monitoring.podMonitor.interval": "9s",
    "pools": {"another": {}},
    "tracing.endpoint": "https://elsewhere:4318",
    "tracing.ratio": 0.25,
    "imagePullSecrets": [{"name": "x"}],
}
"""Another value for what can not be varied by its type alone."""

NEEDS_OTHERS = {"broker.embedded.enabled"}
"""Values that a check refuses to change alone, which shows that they are read."""

ONE_CHOICE = {"gateway.strategy.type", "transcriber.strategy.type"}
"""Values that stand there to be read by people."""


def walk(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the path and the value of every value, maps with the chart's own keys left out."""
    for name, value in values.items():
        path = f"{above}{name}"
        if isinstance(value, dict) and value and name not in FREE | {"labels", "annotations"}:
            yield from walk(value, f"{path}.")
        else:
            yield path, value


PATHS = dict(walk(VALUES))


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found: dict[str, Any] = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def schema_paths(schema: dict[str, Any], above: str = "") -> Iterator[str]:
    """Yields the path of every value that the schema has, as ``walk`` does."""
    for name, each in schema["properties"].items():
        inner = resolved(each)
        path = f"{above}{name}"
        if "properties" in inner and name not in FREE:
            yield from schema_paths(inner, f"{path}.")
        else:
            yield path


@cache
def bases() -> list[tuple[dict[str, Any], dict[str, str]]]:
    hidden = combined({"broker": "URL in a Secret", "transcriber autoscaling": "keda"})
    whisper = {"transcriber": {"engine": "whisper", "model": "small"}}
    claim = {"transcriber": {"modelVolume": {"claim": {"size": "1Gi"}}}}
    tried = [*cases().values(), hidden, whisper, claim]
    return [(dict(values), texts(values)) for values in tried]


def another(path: str, value: Any) -> Any:
    """Returns a value that is allowed at a path and differs from any that the cases set there."""
    if path in OTHER:
        return OTHER[path]
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 7
        case str():
            return _word(path, value)
        case list():
            return _entry(path)
        case dict():
            return {"cpu": "77m"} if path.endswith(("requests", "limits")) else {"some": "thing"}
    raise AssertionError(f"add another value of {path}")


def _at(path: str, values: Any) -> Any:
    for name in path.split("."):
        values = values[name]
    return values


def _schema(path: str) -> dict[str, Any]:
    schema = SCHEMA
    for name in path.split("."):
        schema = resolved(schema["properties"][name])
    return schema


def _word(path: str, value: str) -> str:
    schema = _schema(path)
    if "enum" in schema:
        return str(next((each for each in schema["enum"] if each != value), value))
    if "examples" in schema:
        return str(schema["examples"][0])
    if path.endswith("digest"):
        return "sha256:" + "f" * 64
    if "=" in schema.get("pattern", ""):
        return "some=thing"
    return "redis://elsewhere:6379/0" if path.endswith(".url") else "some-thing"


def _entry(path: str) -> list[Any]:
    text = resolved(_schema(path)["items"]).get("type") == "string"
    return ["10.20.0.0/16"] if text else [{"name": "SOME_THING"}]


def test_every_value_has_a_schema_and_the_reverse() -> None:
    described = set(schema_paths(SCHEMA)) - {"global"}
    assert {path for path in described if not path.endswith("resources.claims")} == PATHS.keys()


def test_defaults_fit_the_schema() -> None:
    chart().validate_schema({})


def _closed(schema: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, each in schema.get("properties", {}).items():
        inner = resolved(each)
        if inner.get("type") == "object" and "properties" in inner:
            yield f"{above}{name}"
            yield from _closed(inner, f"{above}{name}.")


@pytest.mark.parametrize("path", ["", *_closed(SCHEMA)])
def test_unknown_value_is_refused_at_every_level(path: str) -> None:
    """Guards a misspelt value that would silently do nothing."""
    name = f"{path}.misspelt" if path else "misspelt"
    with pytest.raises(helm_python.HelmValuesError, match="misspelt"):
        render(with_value(name, 1))


def test_unknown_value_of_a_pool_is_refused() -> None:
    with pytest.raises(helm_python.HelmValuesError, match="slotz"):
        render({"pools": {"big": {"slotz": 1}}})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("gateway.image.tag", "latest"),
        ("gateway.replicas", "2"),
        ("gateway.service.type", "ExternalName"),
        ("commonLabels", {"app.kubernetes.io/part-of": "x"}),
        ("gateway.podLabels", {"scripta/broker-client": "false"}),
        ("pools", {"Big": {}}),
        ("pools", {"a" * 21: {}}),
        ("transcriber.slots", -1),
        ("transcriber.engine", "wisper"),
        ("transcriber.engine", "moonshine,,mock"),
        ("transcriber.device", "gpu"),
        ("transcriber.models", ["whisper-base"]),
        ("transcriber.models", [{"name": "Whisper Base"}]),
        ("transcriber.models", [{"name": "a", "source": "file:///a"}]),
        ("transcriber.models", [{"name": "a", "sha256": "abc"}]),
        ("transcriber.modelImage", "registry.example/models"),
        ("transcriber.modelImage", "registry.example/models:latest"),
        ("transcriber.modelFetch.mirror", "mirror.example"),
        ("gateway.route.timeout", "1 hour"),
        ("broker.external.url", "http://h"),
        ("tracing.endpoint", "collector:4318"),
        ("tracing.ratio", 1.5),
    ],
)
def test_bad_value_is_refused(path: str, value: object) -> None:
    with pytest.raises(helm_python.HelmValuesError):
        render(with_value(path, value))


@pytest.mark.parametrize("path", sorted(PATHS.keys() - ONE_CHOICE))
def test_value_changes_what_is_installed(path: str) -> None:
    """Guards values that nothing reads: each one matters in at least one of the cases."""
    for values, before in bases():
        changed = with_value(path, another(path, _at(path, merged(VALUES, values))), values)
        try:
            if texts(changed) != before:
                return
        except helm_python.HelmRenderError:
            if path in NEEDS_OTHERS:
                return
    pytest.fail(f"{path} changes nothing in any case")


def comments() -> dict[str, bool]:
    """Returns for each path whether a comment stands before it or before one of its parents."""
    found: dict[str, bool] = {}
    parents: list[tuple[int, str]] = []
    commented = False
    for line in (CHART / "values.yaml").read_text("utf-8").splitlines():
        key = re.match(r"( *)([A-Za-z]+):", line)
        if key is None:
            commented = bool(re.match(r" *# ", line)) and "..." not in line
            continue
        depth = len(key[1])
        parents = [each for each in parents if each[0] < depth]
        path = ".".join([*(name for _, name in parents), key[2]])
        above = path.rpartition(".")[0]
        # A section's comment explains its values; that of a whole service does not.
        inherited = found.get(above, False) and ("." in above or above in FREE)
        found[path] = commented or inherited
        parents.append((depth, key[2]))
        commented = False
    return found


def test_every_value_is_explained() -> None:
    unexplained = {
        path
        for path, explained in comments().items()
        if not explained and path.rpartition(".")[2] not in WORDS_OF_KUBERNETES
    }
    sections = {path for path in unexplained if any(p.startswith(f"{path}.") for p in PATHS)}
    assert unexplained - sections == set()


def test_explained_values_are_those_that_there_are() -> None:
    """Guards the reading of the comments: it sees every value that stands in a line of its own."""
    assert len(comments()) > 120
    for path in comments():
        default(path)


def test_merging_in_these_tests_is_that_of_helm() -> None:
    for values, _ in bases()[:20]:
        assert chart().merge_values(values) == merged(VALUES, values)
