"""What the documents say of the chart is so: values, paths and the values given as examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .cases import CI_FILES
from .rendering import CHART, ROOT, default, render, with_value

pytestmark = pytest.mark.chart

DOCUMENTS = [
    each
    for each in (
        *(CHART / "README.md", ROOT / "docs/operations.md", ROOT / "README.md"),
        *(ROOT / "k8s/README.md", ROOT / "k8s/monitoring/README.md", ROOT / "k8s/keda/README.md"),
        *sorted((ROOT / "docs/runbooks").glob("*.md")),
    )
    if each.is_file()
]
SECTIONS = yaml.safe_load((CHART / "values.yaml").read_text("utf-8")).keys()

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[str(each.relative_to(ROOT)) for each in DOCUMENTS]
)


def value_paths(text: str) -> Iterator[str]:
    """Yields what looks like the path of a value: in backticks, or given to `--set`."""
    quoted = re.findall(r"`([a-zA-Z.]+)(?:[=:][^`]*)?`", text)
    given = re.findall(r"--set(?:-string|-json)? '?([a-zA-Z.]+)", text)
    for path in [*quoted, *given]:
        if path.partition(".")[0] in SECTIONS and "." in path.rstrip("."):
            yield path


def blocks(text: str) -> Iterator[dict[str, object]]:
    """Yields the examples of values: blocks of YAML with nothing but sections of values.yaml."""
    for found in re.findall(r"(?ms)^```ya?ml\n(.*?)^```", text):
        block = yaml.safe_load(found)
        if isinstance(block, dict) and block.keys() <= SECTIONS:
            yield block


@each_document
def test_named_values_exist(document: Path) -> None:
    for path in value_paths(document.read_text("utf-8")):
        default(path)


@each_document
def test_examples_of_values_can_be_installed(document: Path) -> None:
    """Guards an example that a check of the chart refuses."""
    for values in blocks(document.read_text("utf-8")):
        render(values)


def test_documents_name_values_and_examples() -> None:
    """Guards the reading of the documents: it finds something."""
    readme = (CHART / "README.md").read_text("utf-8")
    assert len(set(value_paths(readme))) > 20
    assert "gateway.service.type" in set(value_paths(readme))


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({}, {"Deployment", "HorizontalPodAutoscaler", "Service", "StatefulSet"}),
        (with_value("gateway.autoscaling.mode", "keda"), {"ScaledObject"}),
    ],
)
def test_what_the_readme_says_is_made_is_made(values: dict[str, object], kinds: set[str]) -> None:
    readme = (CHART / "README.md").read_text("utf-8")
    made = {each["kind"] for each in render(values).objects}
    assert kinds <= made
    for kind in made - {"Pod"}:
        assert kind in readme, kind


def test_readme_counts_the_files_for_kinds_of_installations() -> None:
    words = {10: "ten", 11: "eleven", 12: "twelve", 13: "thirteen", 14: "fourteen"}
    assert f"{words[len(CI_FILES)]} kinds" in (CHART / "README.md").read_text("utf-8")
