"""What panels and rules ask Prometheus: that it parses, and that somebody exports it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import catalogue
import promql
import pytest
import yaml
from promql import Matcher, Named, Selector

pytestmark = pytest.mark.rules

EXPRESSIONS = dict(promql.expressions())
RECORDED = {rule["record"] for rule in promql.rules() if "record" in rule}
SERIES: dict[str, Mapping[str, catalogue.Values]] = {
    **catalogue.series(),
    **{name: {} for name in RECORDED},
}
FLEET = {metric.name for metric in catalogue.FLEET if "pool" in metric.labels}


def test_every_expression_parses(tmp_path: Path) -> None:
    """promtool takes no bare expressions: each is made a rule that records it."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool: install prometheus (Debian's package has it)")
    rules = [
        {"record": f"expression:{number}", "expr": expression}
        for number, expression in enumerate(EXPRESSIONS.values())
    ]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout + done.stderr


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_expression_names_only_metrics_that_are_exported(where: str) -> None:
    assert not unknown(EXPRESSIONS[where])


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_expression_keeps_releases_apart(where: str) -> None:
    """Guards a sum over several namespaces; a single series has its namespace anyway."""
    named = promql.read(EXPRESSIONS[where])
    raw = {selector.name for selector in named.selectors} - RECORDED
    aggregates = any(f"{word} by" in EXPRESSIONS[where] for word in ("sum", "max", "min", "count"))
    if raw - {"ALERTS"} and aggregates:
        assert "namespace" in named.grouped


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_expression_takes_the_fleet_from_one_gateway(where: str) -> None:
    """Guards a sum over what all gateways say alike."""
    expression = EXPRESSIONS[where]
    for selector in promql.read(expression).selectors:
        if selector.name in FLEET:
            before = expression.split(selector.name)[0]
            assert before.rstrip(" (").endswith(
                ("max by (namespace, pool)", "count by (namespace)")
            )


def test_reader_finds_what_is_named() -> None:
    named = promql.read(
        'sum by (namespace, le) (rate(a_bucket{le="1.0", code=~"x|y"}[5m])) '
        '/ on (namespace) group_left () (b:c > 0) or vector(0) unless d{e!=""}'
    )
    assert named == Named(
        (
            Selector("a_bucket", (Matcher("le", "=", "1.0"), Matcher("code", "=~", "x|y"))),
            Selector("d", (Matcher("e", "!=", ""),)),
            Selector("b:c"),
        ),
        frozenset({"namespace", "le"}),
    )
    assert named.selectors[0].matchers[1].values == {"x", "y"}


@pytest.mark.parametrize(
    "wrong",
    [
        "scripta_nothing",
        "scripta_gateway_final_latency_seconds",
        'scripta_gateway_sessions{pool="default"}',
        'scripta_gateway_closes_total{code="1010"}',
        'scripta_gateway_closes_total{code=~"1011|1010"}',
        'scripta_gateway_final_latency_seconds_bucket{le="1"}',
        "sum by (namespace, pool) (scripta_gateway_sessions)",
    ],
)
def test_check_finds_what_nobody_exports(wrong: str) -> None:
    assert unknown(wrong)


def unknown(expression: str) -> list[str]:
    """Returns the names, labels and values in an expression that nobody exports."""
    named = promql.read(expression)
    found = [each.name for each in named.selectors if each.name not in SERIES]
    labels = {"seen_as"} if "label_replace" in expression else set[str]()
    for selector in named.selectors:
        own = SERIES.get(selector.name, {})
        labels |= {*own, *catalogue.ADDED_BY_PROMETHEUS}
        found += [f"{selector.name}: {each}" for each in _unknown_matchers(selector, own)]
    return found + sorted(named.grouped - labels)


def _unknown_matchers(selector: Selector, own: Mapping[str, catalogue.Values]) -> list[str]:
    found = []
    for matcher in selector.matchers:
        if matcher.label in catalogue.ADDED_BY_PROMETHEUS:
            continue
        if matcher.label not in own:
            found.append(matcher.label)
            continue
        values = own[matcher.label]
        if values is not None:
            found += [f"{matcher.label}={value}" for value in sorted(matcher.values - values)]
    return found
