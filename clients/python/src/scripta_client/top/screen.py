"""Draws a view as lines of text: as many rows as fit, those in trouble first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypeVar

from rich.text import Text

from scripta_client.top.figures import UNKNOWN, bar, counted, memory, rate, seconds, share, whole
from scripta_client.top.reading import PARTS
from scripta_client.top.table import Table, cut, opposite
from scripta_client.top.verdict import count
from scripta_client.top.view import Finding, Gateway, Health, Latency, Transcriber, View

_Process = TypeVar("_Process", Gateway, Transcriber)

LEAST_WIDTH = 80
_WIDE = 100
_MOST_FINDINGS = 4
_DOWN = "red"
_STYLES = {Health.HEALTHY: "green", Health.WARNING: "yellow", Health.CRITICAL: "bold red"}
_WORDS = {Health.HEALTHY: "news", Health.WARNING: "warning", Health.CRITICAL: "critical"}


def draw(
    view: View, findings: Sequence[Finding], width: int, height: int | None = None
) -> list[Text]:
    """Returns the lines of the screen.

    Args:
        view: What is to be seen.
        findings: What is said of it.
        width: Columns of the screen; narrower ones than 80 cut lines off.
        height: Its lines; ``None`` shows everything.
    """
    width = max(width, LEAST_WIDTH)
    head = [*_title(view, width), *_verdict(findings, width)]
    fixed = [head, _traffic(view, width), _latency(view, width)]
    tables = [_pools(view, width), _gateways(view, width), _transcribers(view, width)]
    tables = [table for table in tables if table]
    tail = _broker(view)
    spaced = _spaced([*fixed, *tables, tail])
    if height is None or len(spaced) <= height:
        return spaced
    tables = _fitted(tables, height - sum(map(len, fixed)) - len(tail))
    return [line for block in (*fixed, *tables, tail) for line in block][:height]


def _title(view: View, width: int) -> list[Text]:
    known = [pool.transcribers for pool in view.fleet.pools if pool.transcribers is not None]
    transcribers = sum(known) if known else len(view.transcribers)
    what = f"{count(len(view.gateways), 'gateway')}, {count(transcribers, 'transcriber')}"
    span = UNKNOWN if view.window_seconds is None else f"{view.window_seconds:.0f} s"
    clock = time.strftime("%H:%M:%S", time.localtime(view.at))
    return [Text(opposite(f"Scripta   {what}", f"last {span}   {clock}", width), style="bold")]


def _verdict(findings: Sequence[Finding], width: int) -> list[Text]:
    lines = []
    if not findings or findings[0].health is Health.HEALTHY:
        lines.append(Text("healthy", style=_STYLES[Health.HEALTHY]))
    shown = findings if len(findings) <= _MOST_FINDINGS else findings[: _MOST_FINDINGS - 1]
    for finding in shown:
        line = cut(f"{_WORDS[finding.health]:<9} {finding.text}", width)
        lines.append(Text(line, style=_STYLES[finding.health]))
    if len(shown) < len(findings):
        lines.append(Text(f"{'':<9} and {len(findings) - len(shown)} more"))
    return lines


def _traffic(view: View, width: int) -> list[Text]:
    now = view.traffic
    lag = f"audio lag  p50 {seconds(now.lag_p50_seconds)}  max {seconds(now.lag_max_seconds)}"
    state = (
        f"sessions {whole(now.sessions)}   connections {whole(now.connections)}   "
        f"held back {rate(now.sessions_held_back)}"
    )
    flow = (
        f"new {rate(now.opened_rate)}/s   audio {rate(now.audio_rate)} s/s   "
        f"messages {rate(now.message_rate)}/s   finals {rate(now.final_rate)}/s"
    )
    refused = f"refused  {counted(now.refusals_in_window)}"
    return [Text(opposite(state, lag, width)), Text(opposite(flow, refused, width))]


def _latency(view: View, width: int) -> list[Text]:
    titles = ("latency", "count", "p50", "p95", "p99", "mean", *PARTS)
    table = Table(titles, (5, 7, 7, 7, 7, *(7,) * len(PARTS)), width)
    for name, took in (("final", view.final), ("1st interim", view.first_interim)):
        table.row(name, *_times(took))
    return table.lines


def _times(took: Latency) -> list[str]:
    quantiles = (took.p50_seconds, took.p95_seconds, took.p99_seconds)
    return [
        whole(took.count),
        *(seconds(value, took.ceiling_seconds) for value in quantiles),
        seconds(took.mean_seconds),
        *(seconds(took.parts.get(part)) for part in PARTS),
    ]


def _pools(view: View, width: int) -> list[Text]:
    cells = width - 60
    titles = ("pool", "", "demand/slots", "waiting", "leased", "transcribers")
    table = Table(titles, (cells + 1, 14, 9, 8, 14), width)
    for pool in view.fleet.pools:
        full = pool.demand is not None and pool.slots is not None and pool.demand > pool.slots
        table.row(
            pool.name,
            bar(pool.demand, pool.slots, cells),
            share(pool.demand, pool.slots),
            whole(pool.waiting),
            whole(pool.leased),
            whole(pool.transcribers),
            style="yellow" if full else "",
        )
    if not view.fleet.pools:
        table.remark(UNKNOWN, "no gateway that answers knows the fleet", "")
    return table.lines if view.gateways else []


def _gateways(view: View, width: int) -> list[Text]:
    titles = ["gateway", "sessions", "conns", "new/s", "audio s/s", "msgs/s", "lag p50", "lag max"]
    widths = [9, 6, 7, 10, 8, 8, 8]
    if width >= _WIDE:
        titles.append("loop p95")
        widths.append(10)
    table = Table(titles, widths, width)
    for one in _troubled_first(view.gateways):
        if one.error:
            table.remark(one.name, f"down: {one.error}", _DOWN)
            continue
        cells = [
            f"{one.name} (draining)" if one.draining else one.name,
            whole(one.sessions),
            whole(one.connections),
            rate(one.opened_rate),
            rate(one.audio_rate),
            rate(one.message_rate),
            seconds(one.lag_p50_seconds),
            seconds(one.lag_max_seconds),
        ]
        if width >= _WIDE:
            cells.append(seconds(one.loop_lag_p95_seconds))
        table.row(*cells, style="cyan" if one.draining else "")
    return table.lines if view.gateways else []


def _transcribers(view: View, width: int) -> list[Text]:
    cells = max(8, (width - 60) // 3)
    titles = ("transcriber", "", "slots", "rtf", "interim", "finals/s", "queue", "takeovers")
    table = Table((*titles, "fenced"), (cells + 1, 6, 6, 8, 9, 8, 10, 7), width)
    for one in _troubled_first(view.transcribers):
        if one.error:
            table.remark(one.name, f"down: {one.error}", _DOWN)
            continue
        table.row(
            one.name,
            bar(one.slots_in_use, one.slots, cells),
            share(one.slots_in_use, one.slots),
            rate(one.final_real_time_factor),
            rate(one.interim_real_time_factor),
            rate(one.final_rate),
            seconds(one.queue_p95_seconds),
            whole(one.takeovers_in_window),
            whole(one.fenced_in_window),
        )
    return table.lines if view.transcribers else []


def _troubled_first(processes: Sequence[_Process]) -> list[_Process]:
    return sorted(processes, key=lambda process: not process.error)


def _broker(view: View) -> list[Text]:
    broker = view.broker
    used = memory(broker.memory_bytes)
    if broker.memory_limit_bytes:
        used += f" of {memory(broker.memory_limit_bytes)}"
    return [
        Text(
            f"broker   memory {used}   commands p95 {seconds(broker.command_p95_seconds)}   "
            f"errors {counted(broker.errors_in_window)}"
        )
    ]


def _spaced(blocks: Sequence[list[Text]]) -> list[Text]:
    lines: list[Text] = []
    for block in blocks:
        lines += [*([Text()] if lines else []), *block]
    return lines


def _fitted(tables: Sequence[Sequence[Text]], room: int) -> list[list[Text]]:
    """Returns the tables with as many rows as there is room for, from the longest taken first."""
    sizes = [len(table) for table in tables]
    while sum(sizes) > room and max(sizes) > 2:
        sizes[sizes.index(max(sizes))] -= 1
    fitted = []
    for table, size in zip(tables, sizes, strict=True):
        left = len(table) - size
        more = [Text(f"… {left + 1} more", style="dim")] if left else []
        fitted.append([*table[: size - len(more)], *more])
    return fitted
