"""Frames from a Prometheus that scrapes the processes: asks for the latest of all series."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from scripta_client.top.errors import NoMetrics
from scripta_client.top.samples import Frame, Samples, Scrape

Series = tuple[dict[str, str], float]
"""Labels and value."""

TIMEOUT_SECONDS: Final = 10.0
_DOWN: Final = (
    "up{{{within}}} == 0 and on (job, instance) last_over_time("
    '{{__name__=~"scripta_gateway_sessions|scripta_transcriber_slots"{and_within}}}[15m])'
)


class Prometheus:
    """A Prometheus server, asked over its HTTP API.

    Attributes:
        history: Always true.
    """

    history = True

    def __init__(self, http: httpx.AsyncClient, url: str, namespace: str | None) -> None:
        """Asks nothing yet.

        Args:
            http: What to ask with.
            url: Its base URL.
            namespace: Whose series; ``None`` for those there are, if all are of one namespace.
        """
        self._http = http
        self._url = url.rstrip("/") + "/api/v1/query"
        self._name = f"Prometheus at {urlsplit(url).netloc.rpartition('@')[2]}"
        self._where = "" if namespace is None else f" in the namespace {namespace}"
        within = "" if namespace is None else f"namespace={json.dumps(namespace)}"
        and_within = f",{within}" if within else ""
        self._all = f'{{__name__=~"scripta_.+"{and_within}}}'
        self._down = _DOWN.format(within=within, and_within=and_within)

    async def frame(self, ago: float = 0.0) -> Frame:
        """Returns the processes that Prometheus knows; those that it can not reach as down.

        Raises:
            NoMetrics: If it can not be asked, has nothing, or has several systems.
        """
        # By the server's clock: that of this machine may be another.
        offset = f" offset {ago:.0f}s" if ago else ""
        series, at = await self._query(f"{self._all}{offset}")
        self._check_one_system({labels.get("namespace", "") for labels, _ in series})
        processes = defaultdict(list)
        for labels, value in series:
            processes[_process(labels)].append((labels["__name__"], labels, value))
        scrapes = {name: Scrape(Samples(found)) for name, found in sorted(processes.items())}
        if not ago:
            down, _ = await self._query(self._down)
            for labels, _ in down:
                scrapes[_process(labels)] = Scrape(None, "Prometheus can not scrape it")
            if not scrapes:
                raise NoMetrics(f"{self._name} has none of Scripta{self._where}")
        return Frame(at - ago, scrapes)

    def _check_one_system(self, namespaces: set[str]) -> None:
        if len(namespaces) > 1:
            raise NoMetrics(
                f"Scripta runs in several namespaces: {', '.join(sorted(namespaces))}; "
                "choose one with --namespace"
            )

    async def _query(self, query: str) -> tuple[list[Series], float]:
        """Returns the series of an instant query, and the server's time of it."""
        answer = await self._get({"query": query, "timeout": f"{TIMEOUT_SECONDS:g}s"})
        try:
            if answer["status"] != "success":
                raise NoMetrics(f"{self._name} refuses the query: {answer['error']}")
            found = [(one["metric"], *one["value"]) for one in answer["data"]["result"]]
            at = float(found[0][1]) if found else time.time()
            return [(dict(labels), float(value)) for labels, _, value in found], at
        except (KeyError, TypeError, ValueError) as error:
            raise NoMetrics(f"{self._name} does not answer as Prometheus does") from error

    async def _get(self, parameters: dict[str, str]) -> Any:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await self._http.get(self._url, params=parameters)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise NoMetrics(f"{self._name} does not answer within {TIMEOUT_SECONDS:g} s") from error
        except httpx.ConnectError as error:
            raise NoMetrics(f"no connection to {self._name}") from error
        except httpx.HTTPError as error:
            raise NoMetrics(f"{self._name}: {error}") from error
        try:
            # Its refusals are JSON as well.
            return answer.json()
        except ValueError as error:
            raise NoMetrics(f"{self._name} answers HTTP {answer.status_code}") from error


def _process(labels: Mapping[str, str]) -> str:
    return labels.get("pod") or labels.get("instance", "")
