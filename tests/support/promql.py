"""The PromQL of dashboards and rules: where it stands, and which series and labels it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "charts/scripta/files/rules.yaml"
DASHBOARDS: Final = ROOT / "charts/scripta/files/dashboards"

_WORDS: Final = {"and", "or", "unless", "bool", "offset", "inf", "nan"}
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_MATCHERS: Final = re.compile(r"([a-zA-Z_:][\w:]*)?\{([^}]*)\}")
_MATCHER: Final = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
_GROUPING: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_WINDOW: Final = re.compile(r"\[[^\]]*\]")
_NAME: Final = re.compile(r"(?<![\w:])[a-zA-Z_:][\w:]*\b(?!\s*\()")


@dataclass(frozen=True, slots=True)
class Matcher:
    """What a selector asks of one label; ``values`` are those of a list of alternatives."""

    label: str
    operator: str
    value: str

    @property
    def values(self) -> frozenset[str]:
        """The values it names, if it names any."""
        alternatives = self.value.split("|") if "~" in self.operator else [self.value]
        return frozenset(each for each in alternatives if re.fullmatch(r"[\w.+-]+", each))


@dataclass(frozen=True, slots=True)
class Selector:
    """A series' name with what is asked of its labels."""

    name: str
    matchers: tuple[Matcher, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """What an expression names.

    Attributes:
        selectors: The series.
        grouped: The labels by which it groups or matches.
    """

    selectors: tuple[Selector, ...]
    grouped: frozenset[str]


def read(expression: str) -> Named:
    """Returns what an expression names; ``label_replace`` may bring labels of its own."""
    selectors = []
    for found in _MATCHERS.finditer(expression):
        matchers = tuple(Matcher(*each) for each in _MATCHER.findall(found[2]))
        selectors.append(Selector(found[1] or "", matchers))
    rest = _MATCHERS.sub(" ", expression)
    rest = _WINDOW.sub(" ", _STRING.sub(" ", rest))
    groupings = _GROUPING.findall(rest)
    grouped = frozenset(re.findall(r"\w+", " ".join(groupings)))
    rest = _GROUPING.sub(" ", rest)
    bare = (name for name in _NAME.findall(rest) if name.lower() not in _WORDS)
    selectors.extend(Selector(name) for name in bare)
    return Named(tuple(selectors), grouped)


def rules() -> Iterator[dict[str, Any]]:
    """Yields the rules, recording ones and alerts."""
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        yield from group["rules"]


def panels(board: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the panels of a dashboard, rows left out."""
    for panel in board["panels"]:
        if panel["type"] != "row":
            yield panel


def boards() -> dict[str, dict[str, Any]]:
    """Returns the dashboards by the names of their files."""
    return {path.name: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}


def queries() -> Iterator[tuple[str, str]]:
    """Yields the expressions of all panels as they are, each with where it stands."""
    for name, board in boards().items():
        for panel in panels(board):
            for target in panel["targets"]:
                yield f"{name}: {panel['title']} ({target['refId']})", target["expr"]


def expressions(
    *, namespace: str = ".*", rate_interval: str = "1m", time_range: str = "5m"
) -> Iterator[tuple[str, str]]:
    """Yields every expression of dashboards and rules as Prometheus takes it.

    Args:
        namespace: Regular expression in place of the variable; by default series without a
            namespace count, too, as they come from a Prometheus outside a cluster.
        rate_interval: What Grafana puts for ``$__rate_interval``.
        time_range: What it puts for ``$__range``.

    Yields:
        Where it stands, for a report, and the expression.
    """
    variables = {
        "$namespace": namespace,
        "$__rate_interval": rate_interval,
        "$__range": time_range,
    }
    for where, expression in queries():
        text = expression
        for name, value in variables.items():
            text = text.replace(name, value)
        yield where, text
    for rule in rules():
        name = rule.get("record") or f"{rule['alert']} ({rule['labels']['severity']})"
        yield f"rules.yaml: {name}", rule["expr"]
