"""What is exported, what is documented and what dashboards may ask for are the same."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import catalogue
import pytest
from catalogue import Metric
from prometheus_client import REGISTRY
from prometheus_client import Metric as Family

import scripta_gateway.telemetry.metrics
import scripta_transcriber.metrics
from scripta_common.broker import Memory
from scripta_common.fleet import Fleet, Pool, Roll
from scripta_common.metrics import export_build
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.telemetry.fleet_metrics import FleetCollector
from scripta_gateway.telemetry.latency import Delivered, Latency
from scripta_gateway.telemetry.session_metrics import SessionCollector
from scripta_gateway.telemetry.tenant_metrics import TenantCounts

pytestmark = pytest.mark.unit

DOCUMENT = (Path(__file__).parents[1] / "docs/metrics.md").read_text()
EXPECTED = {
    metric.name: metric
    for metric in (
        *catalogue.GATEWAY,
        *catalogue.FLEET,
        *catalogue.TRANSCRIBER,
        *catalogue.BOTH,
    )
    if metric.name.startswith("scripta_")
}


def families() -> dict[str, Family]:
    """Returns what both services export when nothing has happened yet, by full name."""
    export_build("gateway", "unknown")
    scripta_transcriber.metrics.export_engines([("moonshine", "moonshine-tiny-en")])
    fleet = Fleet({"default": Pool("default")}, Roll({}, {}))
    watch: Any = SimpleNamespace(age=0.0, seen=True, known=fleet, memory=Memory(1, 2))
    hub: Any = SimpleNamespace(audio_lags=list, draining=False)
    tenants = TenantCounts(1)
    tenants.opened("acme")
    tenants.accepted("acme", 1.0)
    collected = [
        *REGISTRY.collect(),
        *FleetCollector(watch).collect(),
        *SessionCollector(hub).collect(),
        *tenants.families([]),
    ]
    return {
        family.name + ("_total" if family.type == "counter" else ""): family
        for family in collected
        if family.name.startswith("scripta_")
    }


def labels(family: Family) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for sample in family.samples:
        for name, value in sample.labels.items():
            found.setdefault(name, set()).add(value)
    return found


def buckets(family: Family) -> tuple[float, ...]:
    bounds = labels(family).get("le", set()) - {"+Inf"}
    return tuple(sorted(float(bound) for bound in bounds))


def test_services_export_what_is_in_the_catalogue_and_no_more() -> None:
    assert families().keys() == EXPECTED.keys()


@pytest.mark.parametrize("metric", EXPECTED.values(), ids=EXPECTED)
def test_metric_is_exported_as_the_catalogue_has_it(metric: Metric) -> None:
    """All its series are there although nothing has happened."""
    family = families()[metric.name]
    assert family.type == metric.kind
    assert buckets(family) == tuple(map(float, metric.buckets))
    found = labels(family)
    found.pop("le", None)
    assert found.keys() == metric.labels.keys()
    for name, values in metric.labels.items():
        if values is not None and name != "service":
            assert found[name] == values


def documented() -> dict[str, tuple[str, dict[str, set[str]], str, str]]:
    """Returns type, labels with their values, unit and meaning of each metric in the document."""
    found = {}
    for line in DOCUMENT.splitlines():
        row = re.fullmatch(r"\| `(scripta_\w+)` \| (\w+) \| (.*?) ?\| (.*?) ?\| (.+) \|", line)
        if row is None:
            assert not line.startswith("| `scripta_"), line
            continue
        name, kind, cell, unit, meaning = row.groups()
        of: dict[str, set[str]] = {}
        for part in re.split(r"[;,] ", cell) if cell else []:
            label, _, values = part.partition(": ")
            of[label.strip("`")] = set(re.findall(r"`(\w+)`", values))
        assert name not in found, name
        found[name] = kind, of, unit, meaning
    return found


def test_document_has_every_metric_and_no_other() -> None:
    assert documented().keys() == EXPECTED.keys()


@pytest.mark.parametrize("metric", EXPECTED.values(), ids=EXPECTED)
def test_metric_is_documented_as_it_is(metric: Metric) -> None:
    kind, of, unit, _ = documented()[metric.name]
    assert kind == metric.kind
    assert of.keys() == metric.labels.keys()
    for name, values in metric.labels.items():
        assert of[name] in ((set(), values) if name == "service" else (values or set(),))
    base = metric.name.removesuffix("_total")
    assert unit == next((u for u in ("seconds", "bytes") if base.endswith(f"_{u}")), "")


def test_parts_and_outcomes_are_explained() -> None:
    for heading, values in (
        ("Latency", EXPECTED["scripta_gateway_latency_part_seconds"].labels["part"]),
        ("Outcomes", EXPECTED["scripta_gateway_sessions_ended_total"].labels["outcome"]),
    ):
        section = re.search(rf"(?ms)^## {heading}\n(.*?)(?=^##+ |\Z)", DOCUMENT)
        assert section
        assert set(re.findall(r"(?m)^\| `(\w+)` \|", section[1])) == values
    section = re.search(r"(?ms)^### What is not timed\n(.*?)(?=^##+ |\Z)", DOCUMENT)
    assert section
    reasons = EXPECTED["scripta_gateway_finals_untimed_total"].labels["reason"]
    assert set(re.findall(r"(?m)^- `(\w+)`:", section[1])) == reasons


def test_what_a_client_makes_up_adds_no_series() -> None:
    before = {name: labels(family) for name, family in families().items()}
    for code in (0, 3000, 4999, 1004, -1):
        scripta_gateway.telemetry.metrics.count_close(DialectName.NATIVE, code)
    error = type(
        "Unheard", (scripta_gateway.telemetry.metrics.ScriptaError,), {"code": "unheard_of"}
    )
    scripta_gateway.telemetry.metrics.count_refusal(DialectName.NATIVE, error("x"))
    assert {name: labels(family) for name, family in families().items()} == before
    assert scripta_gateway.telemetry.metrics.outcome_of_close(4999) == "abandoned"


@pytest.mark.parametrize("dialect", DialectName)
def test_latency_is_that_of_its_dialect_alone(dialect: DialectName) -> None:
    def counts() -> dict[str, float]:
        return {
            sample.labels["dialect"]: sample.value
            for sample in families()["scripta_gateway_final_latency_seconds"].samples
            if sample.name.endswith("_count")
        }

    before = counts()
    latency = Latency(append=0.1, queue=0.1, decode=0.1, commit=0.1, relay=0.1)
    scripta_gateway.telemetry.metrics.observe_latency(dialect, Delivered.FINAL, latency)
    assert {name: value - before[name] for name, value in counts().items()} == {
        each.value: float(each is dialect) for each in DialectName
    }
