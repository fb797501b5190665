"""docs/limits.md: every bound on what a client can cause is in it, with the value that holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripta_gateway import bounds
from scripta_gateway.bounds import Bound
from scripta_gateway.settings import GatewaySettings

pytestmark = pytest.mark.unit

PAGE = (Path(__file__).parents[1] / "docs/limits.md").read_text("utf-8")
UNITS = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "s": 1, "%": 0.01}
NO_BOUNDS = {"KIB", "MIB"}
"""Public numbers of the module that are units."""
OF_OPERATORS = {
    *("app_host", "app_port", "redis_url", "log_level", "log_format", "scripta_revision"),
    *("otel_exporter_otlp_endpoint", "otel_exporter_otlp_traces_endpoint"),
    *("lease_seconds", "session_ttl_seconds", "drain_seconds", "drain_spread_seconds"),
    *("fetch_hosts", "callback_hosts", "outbound_proxy"),
    *("broker_patience_seconds", "model_names", "vosk_port", "wyoming_port", "admin_port"),
    "tenant_metrics",
    *("keys_file", "trusted_proxies", "allowed_origins", "allowed_hosts"),
    *(name for name in GatewaySettings.model_fields if name.startswith("jwt_")),
    *("tls_cert_file", "tls_key_file", "tls_client_ca_file", "tls_client_auth"),
}
"""Settings that bound nothing of a client's."""


@dataclass(frozen=True, slots=True)
class Row:
    """A bound as the page has it."""

    most: float | tuple[float, ...]
    name: str
    label: str


def rows() -> Iterator[Row]:
    """Yields the rows of all tables."""
    for line in PAGE.splitlines():
        if line.startswith("| ") and not line.startswith("| What "):
            _, most, name, _, label = (cell.strip(" `") for cell in line.split("|")[1:-1])
            yield Row(value(most), name, label)


def value(text: str) -> float | tuple[float, ...]:
    """Returns what a cell says: a number, perhaps with a unit, or several."""
    if "," in text:
        return tuple(float(number) for number in text.split(","))
    number, _, unit = text.partition(" ")
    return float(number) * UNITS[unit]


def constants() -> dict[str, float | tuple[float, ...]]:
    """Returns the bounds that are constants; of a table, what stands behind each size."""
    found: dict[str, float | tuple[float, ...]] = {}
    for name, bound in vars(bounds).items():
        if name.isupper() and name not in NO_BOUNDS and isinstance(bound, int | float | tuple):
            found[name] = tuple(cost for _, cost in bound) if isinstance(bound, tuple) else bound
    return found


def settings() -> dict[str, float | tuple[float, ...]]:
    """Returns the defaults of the settings that bound a client, by the environment's names."""
    fields = GatewaySettings.model_fields.items()
    return {name.upper(): field.default for name, field in fields if name not in OF_OPERATORS}


def test_every_bound_stands_on_the_page_once() -> None:
    """Guards a bound that nobody hears of until a client meets it."""
    listed = Counter(row.name for row in rows())
    wanted = Counter([*constants(), *settings()])
    assert (sorted(wanted - listed), sorted(listed - wanted)) == ([], [])


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: row.name)
def test_the_value_is_the_one_that_holds(row: Row) -> None:
    assert row.most == (constants() | settings())[row.name]


def test_every_label_of_the_metric_is_there_and_no_other() -> None:
    assert {row.label for row in rows()} - {""} == set(Bound)
