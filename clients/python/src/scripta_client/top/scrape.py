"""Frames from the processes themselves: asks each for its metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import httpx
from prometheus_client.parser import text_string_to_metric_families

from scripta_client.top.samples import Frame, Samples, Scrape
from scripta_client.top.targets import process_name

TIMEOUT_SECONDS = 2.0
_MOST_BYTES = 16 * 1024 * 1024


class Processes:
    """Gateways and transcribers at known addresses.

    Attributes:
        history: Always false: a process knows its present only.
    """

    history = False

    def __init__(self, http: httpx.AsyncClient, urls: Sequence[str]) -> None:
        """Asks nobody yet.

        Args:
            http: What to ask with.
            urls: The URLs of their metrics.
        """
        self._http = http
        self._urls = {process_name(url): url for url in urls}

    async def frame(self, ago: float = 0.0) -> Frame:
        """Returns all processes as they are now, those that do not answer with the reason."""
        at = time.time()
        scrapes = await asyncio.gather(*(self._scrape(url) for url in self._urls.values()))
        return Frame(at, dict(zip(self._urls, scrapes, strict=True)))

    async def _scrape(self, url: str) -> Scrape:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status, text = await self._get(url)
        except (TimeoutError, httpx.TimeoutException):
            return Scrape(None, f"no answer within {TIMEOUT_SECONDS:g} s")
        except httpx.ConnectError:
            return Scrape(None, "no connection")
        except httpx.HTTPError as error:
            return Scrape(None, str(error) or type(error).__name__)
        if status == httpx.codes.NOT_FOUND:
            return Scrape(
                None, "no metrics here: a gateway has them on its ADMIN_PORT, if it has one"
            )
        if status != httpx.codes.OK:
            return Scrape(None, f"HTTP {status}")
        return parse(text)

    async def _get(self, url: str) -> tuple[int, str]:
        body = bytearray()
        async with self._http.stream("GET", url) as answer:
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > _MOST_BYTES:
                    break
            return answer.status_code, body.decode(errors="replace")


def parse(text: str) -> Scrape:
    """Returns what a text in Prometheus' exposition format says of one process."""
    try:
        samples = Samples(
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        )
    except ValueError:
        return Scrape(None, "what it exports are not metrics")
    if samples.kind is None:
        return Scrape(None, "it is no service of Scripta")
    return Scrape(samples)
