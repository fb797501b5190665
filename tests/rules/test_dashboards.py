"""The dashboards: as their code makes them, and fit for whoever opens them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import promql
import pytest

pytestmark = pytest.mark.rules

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
BOARDS = promql.boards()
PANELS = [(name, panel) for name, board in BOARDS.items() for panel in promql.panels(board)]
PANEL_IDS = [f"{name}: {panel['title']}" for name, panel in PANELS]


def test_files_are_what_their_code_makes(tmp_path: Path) -> None:
    """Guards a dashboard that was edited by hand, or code without `make dashboards`."""
    subprocess.run(
        [sys.executable, "-m", "dashboards", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(promql.ROOT / "charts")},
        timeout=60,
        check=True,
    )
    made = {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text("utf-8") for path in promql.DASHBOARDS.iterdir()}
    assert made == committed, "run `make dashboards`"


def test_addresses_of_dashboards_stay() -> None:
    """Guards links that people have kept."""
    assert {name: board["uid"] for name, board in BOARDS.items()} == {
        "gateway.json": "scripta-gateway",
        "overview.json": "scripta-overview",
        "session-log.json": "scripta-session-log",
        "transcriber.json": "scripta-transcriber",
    }


@pytest.mark.parametrize("name", BOARDS)
def test_dashboard_lets_choose_datasource_and_namespaces(name: str) -> None:
    datasource, namespace = BOARDS[name]["templating"]["list"]
    assert (datasource["name"], datasource["type"]) == ("datasource", "datasource")
    assert (namespace["name"], namespace["type"]) == ("namespace", "query")
    assert namespace["multi"]
    assert namespace["includeAll"]
    assert namespace["datasource"] == DATASOURCE


@pytest.mark.parametrize("name", BOARDS)
def test_dashboard_links_to_all_others_with_the_same_choice(name: str) -> None:
    board = BOARDS[name]
    (link,) = board["links"]
    assert link["type"] == "dashboards"
    assert set(link["tags"]) <= set(board["tags"])
    assert link["includeVars"]
    assert link["keepTime"]


@pytest.mark.parametrize("name", BOARDS)
def test_panels_lie_side_by_side(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (place["x"] + across, place["y"] + down)
            for across in range(place["w"])
            for down in range(place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells
    numbers = [panel["id"] for panel in BOARDS[name]["panels"]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=PANEL_IDS)
def test_panel_says_what_it_shows_and_in_what_unit(name: str, panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert len(panel["description"].split()) > 4
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == DATASOURCE
    assert panel["targets"]


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=PANEL_IDS)
def test_panel_asks_the_chosen_datasource_for_the_chosen_namespaces(
    name: str, panel: dict[str, Any]
) -> None:
    for target in panel["targets"]:
        assert target["datasource"] == DATASOURCE
        assert target["legendFormat"]
        for selector in promql.read(target["expr"]).selectors:
            filters = {(each.label, each.operator, each.value) for each in selector.matchers}
            assert ("namespace", "=~", "$namespace") in filters


def test_titles_are_unique_within_a_dashboard() -> None:
    assert len(set(PANEL_IDS)) == len(PANEL_IDS)
