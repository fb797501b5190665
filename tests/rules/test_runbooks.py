"""The runbooks' commands and values, held against the chart they are about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import helm_python
import promql
import pytest
import yaml

pytestmark = pytest.mark.rules

PAGES = {path.stem: path.read_text() for path in (promql.ROOT / "docs/runbooks").glob("*.md")}
CHART = promql.ROOT / "charts/scripta"
KINDS = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "hpa": "HorizontalPodAutoscaler",
    "pod": "Pod",
}
# Labels that the cluster gives, and what they stand for in the chart.
GIVEN = {"kubernetes.io/service-name": "Service"}


@cache
def objects() -> list[dict[str, Any]]:
    """What `helm install scripta charts/scripta` makes."""
    rendered = helm_python.Chart.load(CHART).render({}, name="scripta", namespace="NS")
    rendered.pop("scripta/templates/NOTES.txt")
    return [each for text in rendered.values() for each in yaml.safe_load_all(text) if each]


def names(kind: str) -> set[str]:
    found = {each["metadata"]["name"] for each in objects() if each["kind"] == kind}
    if kind == "Pod":
        found |= {f"{name}-0" for name in names("StatefulSet")}
    return found


def labels() -> Iterator[dict[str, str]]:
    for each in objects():
        yield each["metadata"].get("labels", {})
        if "template" in each.get("spec", {}):
            yield each["spec"]["template"]["metadata"]["labels"]


def commands(text: str) -> list[str]:
    """Returns the kubectl commands of a page, in blocks and in lines."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`(kubectl [^`]+)`", text)
    lines = [line for block in blocks for line in block.splitlines()]
    return [each for each in (*lines, *inline) if each.startswith("kubectl ")]


@pytest.mark.parametrize("page", PAGES)
def test_commands_ask_in_the_namespace_of_the_alert(page: str) -> None:
    for command in commands(PAGES[page]):
        assert re.match(r"kubectl (-n NS |get events -A |get --raw .*/NS/)", command), command


@pytest.mark.parametrize("page", PAGES)
def test_commands_name_objects_that_the_chart_makes(page: str) -> None:
    for command in commands(PAGES[page]):
        for kind, name in re.findall(r"\b(deployment|statefulset)/(\S+)", command):
            assert name in names(KINDS[kind]), command
        for kind, name in re.findall(r"\b(hpa|pod) (scripta\S*)", command):
            assert name in names(KINDS[kind]), command


@pytest.mark.parametrize("page", PAGES)
def test_commands_select_by_labels_that_the_chart_sets(page: str) -> None:
    for command in commands(PAGES[page]):
        for label, _, value in re.findall(r" -l ([\w./-]+)(=(\S+))?", command):
            if label in GIVEN:
                assert value in names(GIVEN[label]), command
                continue
            found = {each[label] for each in labels() if label in each}
            assert found, command
            assert not value or value in found, command


@pytest.mark.parametrize("page", PAGES)
def test_values_that_are_named_are_in_the_chart(page: str) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    roots = "|".join(values)
    for path in re.findall(rf"`((?:{roots})\.[\w.]+)(?:=\w+)?`", PAGES[page]):
        value: Any = values
        for name in path.split("."):
            assert name in value, path
            value = value[name]


def test_pages_have_commands_at_all() -> None:
    """Guards the other tests from passing because they find nothing."""
    alerts = set(PAGES) - {"README"}
    assert {page for page in alerts if commands(PAGES[page])} == alerts
