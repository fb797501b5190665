"""Looks at the system again and again, and shows it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict

import httpx
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from scripta_client.top.arguments import TopArguments
from scripta_client.top.errors import NoMetrics
from scripta_client.top.prometheus import Prometheus
from scripta_client.top.reading import read
from scripta_client.top.scrape import Processes
from scripta_client.top.screen import draw
from scripta_client.top.source import Source
from scripta_client.top.targets import http_url, metrics_url
from scripta_client.top.verdict import health, judge
from scripta_client.top.view import View
from scripta_client.top.window import WINDOW_SECONDS, Window
from scripta_client.trust import trusting

_PAST_FRAMES = 4


async def run(arguments: TopArguments, stop: asyncio.Event) -> bool:
    """Looks once, or until ``stop`` is set if standard output is a terminal.

    Returns:
        Whether any process answered the last time.

    Raises:
        NoMetrics: If Prometheus can not be asked.
        InvalidUrl: If an address is none.
    """
    console = Console(highlight=False)
    window = Window()
    async with _source(arguments) as source:
        await _look_back(source, window)
        window.push(await source.frame())
        # Not the console's word for it: it also calls a pipe a terminal if colours are forced.
        interactive = sys.stdout.isatty() and not console.is_dumb_terminal
        if arguments.once or not interactive:
            if not source.history:
                # Rates and latencies are differences.
                await _pause(stop, arguments.interval)
                window.push(await source.frame())
            _print(read(window), console, as_json=arguments.as_json)
        else:
            await _live(source, window, console, arguments.interval, stop)
    return bool(window.answering())


@asynccontextmanager
async def _source(arguments: TopArguments) -> AsyncIterator[Source]:
    async with httpx.AsyncClient(
        follow_redirects=True, verify=trusting(arguments.ca) or True
    ) as http:
        if arguments.prometheus is not None:
            url = http_url(arguments.prometheus)
            yield Prometheus(http, url, arguments.namespace)
        else:
            yield Processes(http, [metrics_url(text) for text in arguments.addresses])


async def _look_back(source: Source, window: Window) -> None:
    """Fills the window from the past, where that is to be had."""
    if source.history:
        for step in range(_PAST_FRAMES, 0, -1):
            window.push(await source.frame(step * WINDOW_SECONDS / _PAST_FRAMES))


async def _live(
    source: Source, window: Window, console: Console, interval: float, stop: asyncio.Event
) -> None:
    """Draws the screen anew after every look; goes on if Prometheus fails for a while."""
    trouble = ""
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(_screen(window, console, trouble), refresh=True)
            await _pause(stop, interval)
            if stop.is_set():
                return
            try:
                window.push(await source.frame())
                trouble = ""
            except NoMetrics as error:
                trouble = str(error)


def _screen(window: Window, console: Console, trouble: str) -> Group:
    view = read(window)
    height = console.height - (1 if trouble else 0)
    lines = draw(view, judge(view), console.width, height)
    if trouble:
        lines.insert(0, Text(f"{trouble}; what follows is old", style="reverse red"))
    for line in lines:
        line.truncate(console.width)
    return Group(*lines)


def _print(view: View, console: Console, *, as_json: bool) -> None:
    findings = judge(view)
    if as_json:
        said = [asdict(finding) for finding in findings]
        answer = {"health": health(findings), "findings": said, **asdict(view)}
        sys.stdout.write(json.dumps(answer) + "\n")
        return
    for line in draw(view, findings, console.width):
        console.print(line, no_wrap=True, overflow="ignore", crop=False)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
