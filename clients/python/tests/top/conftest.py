"""Exports of processes that do not exist, as text that is parsed like a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from scripta_client.top.samples import Frame, Scrape
from scripta_client.top.scrape import parse
from scripta_client.top.window import Window

BOUNDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 30)

Export = dict[str, float]
"""Values by series, as in ``name{label="value"}``."""


def histogram_of(name: str, values: Iterable[float], labels: str = "") -> Export:
    """Returns a histogram in which these were observed."""
    values = list(values)
    comma = f"{labels}," if labels else ""
    braces = f"{{{labels}}}" if labels else ""
    series = {
        f'{name}_bucket{{{comma}le="{bound}"}}': float(sum(value <= bound for value in values))
        for bound in BOUNDS
    }
    series[f'{name}_bucket{{{comma}le="+Inf"}}'] = float(len(values))
    return {**series, f"{name}_count{braces}": len(values), f"{name}_sum{braces}": sum(values)}


def scrape_of(export: Export | str) -> Scrape:
    """Returns the answer of a process; a text is why there is none."""
    if isinstance(export, str):
        return Scrape(None, export)
    return parse("".join(f"{series} {value}\n" for series, value in export.items()))


def window_of(*frames: Mapping[str, Export | str], every: float = 10.0) -> Window:
    """Returns a window over frames that came at such distances, in seconds, the first at 1000."""
    window = Window()
    for number, frame in enumerate(frames):
        scrapes = {name: scrape_of(export) for name, export in frame.items()}
        window.push(Frame(1000.0 + number * every, scrapes))
    return window


@pytest.fixture
def histogram() -> Callable[..., Export]:
    return histogram_of


@pytest.fixture
def window() -> Callable[..., Window]:
    return window_of


def gateway_of(number: int, moment: int) -> Export:
    """Returns what a gateway exports of everything, before (0) and after (1) some traffic."""
    of = "scripta_gateway"
    export: Export = {
        f"{of}_sessions": 20 + number,
        f'{of}_connections{{dialect="native"}}': 19 + number,
        f"{of}_sessions_opened_total": 100 + 12 * moment,
        f'{of}_sessions_ended_total{{outcome="completed"}}': 90 + 10 * moment,
        f'{of}_sessions_ended_total{{outcome="failed"}}': 1,
        f'{of}_refusals_total{{reason="no_capacity"}}': 7,
        f"{of}_messages_total": 1000 + 2000 * moment,
        f"{of}_messages_refused_total": 3,
        f"{of}_audio_seconds_total": 100 + 198 * moment,
        f"{of}_backpressure_seconds_total": 5 + 5 * moment,
        f"{of}_finals_total": 50 + 45 * moment,
        f'{of}_audio_lag_seconds{{stat="p50"}}': 0.4 * number,
        f'{of}_audio_lag_seconds{{stat="max"}}': 5.5 + number,
        f"{of}_draining": 0,
        "scripta_fleet_observation_age_seconds": 0.3 * number,
        "scripta_broker_memory_bytes": 32 * 2**20,
        "scripta_broker_memory_limit_bytes": 256 * 2**20,
        'scripta_broker_errors_total{kind="timeout"}': 2,
    }
    fleet = {"sessions_waiting": 0, "sessions_leased": 43, "demand_sessions": 43}
    for name, value in {**fleet, "slots": 64, "transcribers": 2}.items():
        export[f'scripta_{name}{{pool="default"}}'] = value
    parts = {"append": 0.004, "queue": 0.3, "decode": 0.21, "commit": 0.006, "relay": 0.001}
    for result, factor in (("final", 1.0), ("first_interim", 0.5)):
        values = [sum(parts.values()) * factor] * 40 * moment
        export |= histogram_of(f"{of}_{result}_latency_seconds", values)
        for part, seconds in parts.items():
            labels = f'result="{result}",part="{part}"'
            values = [seconds * factor] * 40 * moment
            export |= histogram_of(f"{of}_latency_part_seconds", values, labels)
    lag = [0.06] * 20 * moment
    commands = histogram_of("scripta_broker_command_seconds", lag, 'command="append"')
    return {**export, **commands, **histogram_of("scripta_event_loop_lag_seconds", lag)}


def transcriber_of(number: int, moment: int) -> Export:
    """Returns what a transcriber exports of everything, before (0) and after (1) some work."""
    of = "scripta_transcriber"
    export: Export = {
        f"{of}_slots": 32,
        f"{of}_slots_in_use": 21 + number,
        f'{of}_claims_total{{how="new"}}': 30,
        f'{of}_claims_total{{how="expired"}}': 0,
        f"{of}_fenced_commits_total": 0,
        f"{of}_finals_total": 10 + 45 * moment,
        f'{of}_decoded_audio_seconds_total{{kind="final"}}': 100 * moment,
        f'{of}_decoded_audio_seconds_total{{kind="interim"}}': 400 * moment,
    }
    export |= histogram_of(f"{of}_decode_seconds", [0.1] * 45 * moment, 'kind="final"')
    export |= histogram_of(f"{of}_decode_seconds", [0.2] * 200 * moment, 'kind="interim"')
    return export | histogram_of(f"{of}_queue_seconds", [0.04] * 45 * moment, 'kind="final"')


@pytest.fixture
def system() -> list[dict[str, Export]]:
    """A healthy system at two moments; a test may change what its processes export."""
    return [
        {
            "10.0.0.1:8000": gateway_of(1, moment),
            "10.0.0.2:8000": gateway_of(2, moment),
            "10.0.1.1:8001": transcriber_of(0, moment),
            "10.0.1.2:8001": transcriber_of(1, moment),
        }
        for moment in (0, 1)
    ]
