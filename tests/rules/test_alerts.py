"""Each alert by promtool: quiet, not yet firing, firing; and what each must come with."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import promql
import pytest
import yaml

pytestmark = pytest.mark.rules

RUNBOOKS = promql.ROOT / "docs/runbooks"
CASES = Path(__file__).parent / "alerts"
ALERTS = [rule for rule in promql.rules() if "alert" in rule]
NAMES = sorted({rule["alert"] for rule in ALERTS})


@pytest.fixture(scope="module")
def promtool() -> str:
    """The program that checks and tries rules."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("there is no promtool: install prometheus (Debian's package has it)")
    return found


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def severities(alert: str) -> set[str]:
    return {rule["labels"]["severity"] for rule in ALERTS if rule["alert"] == alert}


def expectations(alert: str) -> Iterator[tuple[str, int, set[str]]]:
    """Yields, for each moment that is tried: the case, seconds since its start, what fires."""
    for case in yaml.safe_load((CASES / f"{alert}.yaml").read_text())["tests"]:
        for moment in case["alert_rule_test"]:
            assert moment["alertname"] == alert
            firing = {each["exp_labels"]["severity"] for each in moment["exp_alerts"]}
            yield case["name"], seconds(moment["eval_time"]), firing


def seconds(duration: str) -> int:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)([hms])", duration))


@pytest.mark.parametrize("alert", NAMES)
def test_alert_is_quiet_and_fires_as_its_cases_say(promtool: str, alert: str) -> None:
    run(promtool, "test", "rules", str(CASES / f"{alert}.yaml"))


@pytest.mark.parametrize("alert", NAMES)
def test_alert_is_tried_quiet_before_every_severity_of_it_fires(alert: str) -> None:
    """Guards cases that would pass with an alert that always fires, or never."""
    quiet_before: dict[str, set[str]] = defaultdict(set)
    fired: set[str] = set()
    quiet_cases: set[str] = set()
    for case, _, firing in sorted(expectations(alert), key=lambda each: each[:2]):
        fired |= {severity for severity in firing if severity in quiet_before[case]}
        quiet_before[case] |= severities(alert) - firing
        if not firing:
            quiet_cases.add(case)
    assert fired == severities(alert)
    assert quiet_cases


def test_every_case_belongs_to_an_alert() -> None:
    assert sorted(path.stem for path in CASES.iterdir()) == NAMES


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert sorted(path.stem for path in RUNBOOKS.glob("Scripta*.md")) == NAMES


def test_index_of_runbooks_names_each_with_its_severities() -> None:
    index = (RUNBOOKS / "README.md").read_text()
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \| ([a-z, ]+) \|", index, re.MULTILINE)
    listed = {name: (link, set(words.split(", "))) for name, link, words in rows}
    assert listed == {name: (name, severities(name)) for name in NAMES}


@pytest.mark.parametrize("alert", NAMES)
def test_runbook_says_what_it_is_about(alert: str) -> None:
    text = (RUNBOOKS / f"{alert}.md").read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    assert headings == [
        alert,
        "What users notice",
        "Look",
        "Likely causes",
        "What to do",
        "When to call for help",
    ]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alert_says_what_a_person_needs(rule: dict[str, Any]) -> None:
    assert rule["for"]
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    notes = rule["annotations"]
    assert notes.keys() == {"summary", "description", "runbook_url"}
    assert "$value" in notes["description"]
    assert "$labels.namespace" in notes["description"]
    assert "{{" not in notes["summary"]
    assert notes["runbook_url"] == f"docs/runbooks/{rule['alert']}.md"


def test_chart_installs_the_rules_with_links_to_its_owners_runbooks() -> None:
    monitoring = {"prometheusRule": {"enabled": True, "runbookBaseUrl": "https://wiki.example/r/"}}
    rendered = helm_python.Chart.load(promql.ROOT / "charts/scripta").render(
        {"monitoring": monitoring}, name="talk", namespace="speech"
    )
    installed = yaml.safe_load(rendered["scripta/templates/monitoring/prometheusrule.yaml"])["spec"]
    links = {
        rule["alert"]: rule["annotations"].pop("runbook_url")
        for group in installed["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    wanted = yaml.safe_load(promql.RULES.read_text("utf-8"))
    for group in wanted["groups"]:
        for rule in group["rules"]:
            rule.get("annotations", {}).pop("runbook_url", None)
    assert installed == wanted
    assert links == {name: f"https://wiki.example/r/{name}.md" for name in NAMES}
