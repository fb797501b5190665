"""Whatever values are given, what comes out is whole: valid, unambiguous, the same each time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

import helm_python
import pytest

from . import custom_kinds, kubernetes_schemas
from .cases import CHOICES, CI_FILES, cases, choices
from .rendering import CHART, NAMESPACE, Object, Release, Values, component_of, render, texts

pytestmark = pytest.mark.chart

STANDARD_LABELS = {
    *("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"),
    *("app.kubernetes.io/part-of", "app.kubernetes.io/managed-by", "app.kubernetes.io/version"),
    "helm.sh/chart",
}
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

each_case = pytest.mark.parametrize("values", cases().values(), ids=cases())


def test_choices_stand_together_in_pairs() -> None:
    """Guards the product of choices: a row that is left out would be a combination never tried."""
    for first, options in CHOICES.items():
        for second, others in CHOICES.items():
            together = {(row[first], row[second]) for row in choices()}
            wanted = {(a, b) for a in options for b in others if first != second or a == b}
            assert together == wanted


def test_every_person_has_a_values_file_that_says_whom_it_is_for() -> None:
    assert len(CI_FILES) >= 10
    for path in CI_FILES:
        assert path.read_text("utf-8").startswith("# For "), path.name


@each_case
def test_objects_fit_the_oldest_and_the_newest_kubernetes(values: Values) -> None:
    wrong = [
        error
        for each in render(values).objects
        if not custom_kinds.is_custom(each)
        for version in (kubernetes_schemas.OLDEST, kubernetes_schemas.NEWEST)
        for error in kubernetes_schemas.errors(each, version)
    ]
    assert not wrong


@each_case
def test_objects_of_others_kinds_have_their_shape(values: Values) -> None:
    custom = [each for each in render(values).objects if custom_kinds.is_custom(each)]
    assert not list(chain.from_iterable(map(custom_kinds.errors, custom)))


@pytest.mark.parametrize("values", list(cases().values())[-6:])
def test_schemas_refuse_a_field_that_nobody_knows(values: Values) -> None:
    """Guards the two tests above, which would be worth nothing with open schemas."""
    for each in render(values).objects:
        broken = {**each, "spec": {**each.get("spec", {}), "replicaz": 1}}
        find = (
            custom_kinds.errors(broken)
            if custom_kinds.is_custom(each)
            else kubernetes_schemas.errors(broken, kubernetes_schemas.NEWEST)
        )
        assert list(find), each["kind"]


@pytest.mark.parametrize("version", [kubernetes_schemas.OLDEST, kubernetes_schemas.NEWEST])
@pytest.mark.parametrize("values", cases().values(), ids=cases())
def test_linter_finds_nothing(values: Values, version: str) -> None:
    report = helm_python.lint(
        CHART, dict(values), strict=True, namespace=NAMESPACE, kube_version=f"v{version}.0"
    )
    assert report["errors"] == []
    assert [each for each in report["messages"] if each["severity"] >= 2] == []


def test_chart_states_the_oldest_version_that_is_tried() -> None:
    metadata = helm_python.Chart.load(CHART).metadata
    assert metadata["kubeVersion"] == f">={kubernetes_schemas.OLDEST}.0-0"


@each_case
def test_objects_have_the_standard_labels_and_names_of_their_own(values: Values) -> None:
    release = render(values)
    counts = Counter((each["kind"], each["metadata"]["name"]) for each in release.objects)
    assert [key for key, count in counts.items() if count > 1] == []
    for each in release.objects:
        labels = each["metadata"]["labels"]
        assert labels.keys() >= STANDARD_LABELS
        assert labels["app.kubernetes.io/instance"] == release.name
        for text in labels.values():
            assert LABEL.fullmatch(text), text


@each_case
def test_lists_of_a_pod_have_no_name_twice(values: Values) -> None:
    """Guards environment variables, ports, volumes and mounts of which one hides another."""
    for pod in render(values).pods():
        assert not _twice(volume["name"] for volume in pod.spec.get("volumes", []))
        assert not _twice(each["name"] for each in pod.containers)
        for container in pod.containers:
            assert not _twice(each["name"] for each in container.get("env", []))
            assert not _twice(each["mountPath"] for each in container.get("volumeMounts", []))
            ports = container.get("ports", [])
            assert not _twice(each["name"] for each in ports)
            assert not _twice(each["containerPort"] for each in ports)


@each_case
def test_rendering_again_gives_the_same_text(values: Values) -> None:
    """Guards upgrades that would roll every pod although nothing has changed."""
    assert texts(values) == texts(values)


@each_case
def test_no_document_is_left_empty(values: Values) -> None:
    for name, text in texts(values).items():
        if name.endswith("NOTES.txt"):
            continue
        documents = [each.strip() for each in re.split(r"(?m)^---$", text)]
        assert "null" not in documents, name
        assert "\t" not in text, name
        assert not re.search(r"(?m)[ ]+$", text), name


@pytest.mark.parametrize("release", ["scripta", "x", "123", "a" * 53, "true", "1e3"])
def test_any_name_of_a_release_makes_names_that_fit(release: str) -> None:
    values: Values = {"pools": {"gpu-large-language-a": {}, "gpu-large-language-b": {}, "7": {}}}
    rendered = render(values, release=release)
    for each in rendered.objects:
        assert NAME.fullmatch(each["metadata"]["name"]), each["metadata"]["name"]
        assert not list(kubernetes_schemas.errors(each, kubernetes_schemas.NEWEST))
    assert len({each["metadata"]["name"] for each in rendered.all("Deployment")}) == 5


def test_pods_stay_when_only_the_version_of_the_chart_changes() -> None:
    """Guards connections against a chart release that brings nothing new."""
    for pod in render().pods():
        if pod.owner["kind"] == "Pod":
            continue
        stable = {*pod.labels, *pod.annotations}
        assert not stable & {"helm.sh/chart", "app.kubernetes.io/version"}


@each_case
def test_common_labels_reach_every_object_and_pod(values: Values) -> None:
    wanted: dict[str, Any] = dict(values).get("commonLabels", {})
    for each in _labelled(render(values)):
        assert wanted.items() <= each.items()


def test_each_component_of_a_release_is_named_after_it() -> None:
    release = render({"pools": {"big": {}}})
    names = {component_of(each): each["metadata"]["name"] for each in release.all("Deployment")}
    assert names == {
        "gateway": "talk-scripta-gateway",
        "transcriber": "talk-scripta-transcriber",
        "transcriber-big": "talk-scripta-transcriber-big",
    }


def _labelled(release: Release) -> Iterator[dict[str, str]]:
    yield from (each["metadata"]["labels"] for each in release.objects)
    yield from (pod.labels for pod in release.pods())


def _twice(names: Iterator[object] | Iterator[Object]) -> list[object]:
    return [name for name, count in Counter(names).items() if count > 1]
