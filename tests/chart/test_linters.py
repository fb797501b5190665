"""The chart as linters and auditors read it; each exception has its reason."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from yamllint import linter
from yamllint.config import YamlLintConfig

from .cases import ci_values
from .rendering import NAMESPACE, ROOT, Values, render, texts

pytestmark = pytest.mark.chart

CHECKOV = Path(sys.prefix, "audit/bin/checkov")

EXCUSED = {
    ("CKV_K8S_8", "Pod"): "the test's pod ends by itself, within its deadline",
    ("CKV_K8S_9", "Pod"): "nobody is sent to the test's pod",
    ("CKV2_K8S_6", "Pod"): "nobody is sent to the test's pod, and it may ask the gateway",
    ("CKV_K8S_40", "StatefulSet"): "999 is the user of Valkey's official image",
}
"""What checkov finds and why it stays, by check and kind."""


def sources() -> Iterator[Path]:
    """Yields the YAML files of the repository that are no templates."""
    listed = subprocess.run(
        ["git", "ls-files", "*.yaml", "*.yml"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if "/templates/" not in name and (ROOT / name).exists():
            yield ROOT / name


def configuration() -> YamlLintConfig:
    return YamlLintConfig((ROOT / ".yamllint.yaml").read_text("utf-8"))


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout of git")
def test_yaml_files_are_well_written() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {problem}"
        for path in sources()
        for problem in linter.run(path.read_text("utf-8"), configuration())
    ]
    assert found == []
    assert len(list(sources())) > 15


@pytest.mark.parametrize("values", dict(ci_values()).values(), ids=dict(ci_values()))
def test_rendered_yaml_is_well_written(values: Values) -> None:
    config = configuration()
    # Long are the queries and the dashboards; quotes and braces are as people wrote the values.
    config.rules = {**config.rules, "line-length": False}
    rendered = texts(values)
    found = [
        f"{template}: {problem}"
        for template, text in rendered.items()
        if text.strip() and not template.endswith(".txt")
        for problem in linter.run(text.strip() + "\n", config)
    ]
    assert found == []


def audit(folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Returns what checkov finds in releases with the values of some `ci` files."""
    values = dict(ci_values())
    for name in names:
        path = folder / f"{name}.yaml"
        objects = [
            {**each, "metadata": {**each["metadata"], "namespace": NAMESPACE}}
            for each in render(values[name], release=name).objects
        ]
        path.write_text(yaml.safe_dump_all(objects))
    done = subprocess.run(
        [
            *(CHECKOV, "--framework", "kubernetes", "--directory", folder),
            *("--config-file", ROOT / ".checkov.yaml"),
            *("--skip-download", "--compact", "--output", "json"),
        ],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    results: dict[str, Any] = json.loads(done.stdout)["results"]
    return results


@pytest.mark.slow
@pytest.mark.skipif(not CHECKOV.exists(), reason="checkov is not installed (make test does it)")
def test_checkov_finds_nothing_but_what_is_excused(tmp_path: Path) -> None:
    results = audit(tmp_path, ("production", "keda-broker", "default"))
    found = {
        (each["check_id"], each["resource"].partition(".")[0]) for each in results["failed_checks"]
    }
    assert found == EXCUSED.keys()
    assert len(results["passed_checks"]) > 300
    assert not results["skipped_checks"]


def test_every_skip_of_checkov_has_its_reason() -> None:
    lines = (ROOT / ".checkov.yaml").read_text("utf-8").splitlines()
    skips = [number for number, line in enumerate(lines) if line.startswith("  - CKV")]
    assert len(skips) == len(yaml.safe_load("\n".join(lines))["skip-check"])
    for number in skips:
        assert lines[number - 1].startswith("  # ")


def test_python_of_the_chart_is_linted() -> None:
    """Guards `files/speech.py`, which no import would ever notice."""
    done = subprocess.run(
        [Path(sys.prefix, "bin/ruff"), "check", "--show-files", "charts"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "speech.py" in done.stdout
