"""The chart as it would be installed: rendered, read strictly, and asked for its parts."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/scripta"
RELEASE = "talk"
NAMESPACE = "speech"
SECRET = "scripta/templates/broker/secret.yaml"
PASSWORD = "made-by-chance"
"""In the place of the one that the chart makes, another at every rendering without a cluster."""

Object = dict[str, Any]
Values = Mapping[str, Any]


class DuplicateKey(ValueError):
    """A mapping has one key twice; a cluster would take the last and say nothing."""


class _StrictLoader(yaml.CSafeLoader):  # type: ignore[misc]
    """Reads YAML as Kubernetes does, but for a key that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise DuplicateKey(f"{name!r} stands twice in a mapping{key.start_mark}")
            seen.add(name)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that the chart makes, by itself or by a controller.

    Attributes:
        owner: The object it comes from.
        labels: Its labels.
        annotations: Its annotations.
        spec: Its spec.
    """

    owner: Object
    labels: dict[str, str]
    annotations: dict[str, str]
    spec: dict[str, Any]

    @property
    def component(self) -> str:
        """The component it belongs to, such as ``gateway``."""
        return self.labels["app.kubernetes.io/component"]

    @property
    def containers(self) -> list[dict[str, Any]]:
        """All its containers, those that run first included."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    def port(self, name: str) -> int:
        """Returns the number of a named port."""
        ports = [port for each in self.containers for port in each.get("ports", [])]
        (number,) = [port["containerPort"] for port in ports if port["name"] == name]
        return int(number)


@dataclass(frozen=True, slots=True)
class Release:
    """What an installation would send to the cluster.

    Attributes:
        name: Name of the release.
        objects: The objects, tests included, in the order of their files.
        notes: What the person who installs it reads.
    """

    name: str
    objects: list[Object]
    notes: str

    def all(self, kind: str) -> list[Object]:
        """Returns the objects of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str, component: str) -> Object:
        """Returns the object of a kind that belongs to a component."""
        (found,) = [each for each in self.all(kind) if component_of(each) == component]
        return found

    def has(self, kind: str, name: str) -> bool:
        """Whether there is an object of that kind and name."""
        return any(each["metadata"]["name"] == name for each in self.all(kind))

    def pods(self) -> Iterator[Pod]:
        """Yields every kind of pod that it runs."""
        for each in self.objects:
            if each["kind"] == "Pod":
                yield _pod(each, each)
            elif "template" in each.get("spec", {}):
                yield _pod(each, each["spec"]["template"])

    def pod(self, component: str) -> Pod:
        """Returns the pod of a component."""
        (found,) = [each for each in self.pods() if each.component == component]
        return found


def component_of(each: Object) -> str:
    """Returns the component that an object says it belongs to."""
    return str(each["metadata"]["labels"]["app.kubernetes.io/component"])


def read(text: str) -> list[Any]:
    """Returns the documents of a YAML text; raises ``DuplicateKey``."""
    return [each for each in yaml.load_all(text, _StrictLoader) if each is not None]


@cache
def chart() -> helm_python.Chart:
    """Returns the chart as it lies in the repository."""
    return helm_python.Chart.load(CHART)


def render(values: Values | None = None, *, release: str = RELEASE) -> Release:
    """Renders the chart; nobody may change what is returned.

    Raises:
        HelmError: The values do not fit the schema, or a check fails.
    """
    return _render(json.dumps(values or {}, sort_keys=True), release)


def texts(values: Values | None = None, *, release: str = RELEASE) -> dict[str, str]:
    """Renders the chart and returns each template's text; the broker's password is ``PASSWORD``."""
    rendered = chart().render(dict(values or {}), name=release, namespace=NAMESPACE)
    encoded = b64encode(PASSWORD.encode()).decode()
    rendered[SECRET] = re.sub(r"(?m)^(  password: )\S+$", rf"\g<1>{encoded}", rendered[SECRET])
    return rendered


@cache
def _render(values: str, release: str) -> Release:
    rendered = texts(json.loads(values), release=release)
    notes = rendered.pop("scripta/templates/NOTES.txt")
    objects = [each for name in sorted(rendered) for each in read(rendered[name])]
    return Release(release, objects, notes)


@cache
def _defaults() -> dict[str, Any]:
    (values,) = read((CHART / "values.yaml").read_text("utf-8"))
    assert isinstance(values, dict)
    return values


def default(path: str) -> Any:
    """Returns a default value by its path, such as ``gateway.service.port``; raises KeyError."""
    value: Any = _defaults()
    for name in path.split("."):
        value = value[name]
    return value


def with_value(path: str, value: object, base: Values | None = None) -> dict[str, Any]:
    """Returns values like ``base`` with one of them set."""
    values: dict[str, Any] = json.loads(json.dumps(base or {}))
    inner = values
    *parents, last = path.split(".")
    for name in parents:
        inner = inner.setdefault(name, {})
    inner[last] = value
    return values


def merged(*layers: Values) -> dict[str, Any]:
    """Returns values put over each other as Helm does: maps are merged, lists replaced."""
    result: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            below = result.get(name)
            if isinstance(below, dict) and isinstance(value, Mapping):
                value = merged(below, value)
            result[name] = value
    return result


def _pod(owner: Object, source: Object) -> Pod:
    meta = source["metadata"]
    return Pod(owner, meta["labels"], meta.get("annotations", {}), source["spec"])
