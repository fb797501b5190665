"""A real Prometheus that scrapes processes of this machine, and its answers."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripta_local.ports import free_port

_START_SECONDS = 30.0


class Prometheus:
    """A running server.

    Args:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    async def ask(self, path: str, **query: object) -> Any:
        """Returns the data of an answer of its HTTP API."""
        async with httpx.AsyncClient(trust_env=False) as http:
            parameters = {name: str(value) for name, value in query.items()}
            answer = await http.get(f"{self.url}/api/v1/{path}", params=parameters)
        body = answer.json()
        assert body["status"] == "success", (query, body)
        return body["data"]

    async def query(self, expression: str, at: float | None = None) -> list[float]:
        """Returns the values of an expression that are numbers, at a time or now."""
        when = {} if at is None else {"time": at}
        result = (await self.ask("query", query=expression, **when))["result"]
        values = [float(each["value"][1]) for each in result]
        return [value for value in values if not math.isnan(value)]

    async def value(self, expression: str, at: float | None = None) -> float:
        """Returns the one value of an expression."""
        values = await self.query(expression, at)
        assert len(values) == 1, (expression, values)
        return values[0]

    async def is_ready(self) -> bool:
        """Returns whether it answers."""
        async with httpx.AsyncClient(trust_env=False) as http:
            try:
                return (await http.get(f"{self.url}/-/ready")).is_success
            except httpx.TransportError:
                return False


@asynccontextmanager
async def prometheus(
    targets: Mapping[str, Mapping[str, str]], folder: Path, rules: Sequence[Path] = ()
) -> AsyncIterator[Prometheus]:
    """Runs one that scrapes every second; skips the test where there is none.

    Args:
        targets: Addresses to scrape, each with the labels to add.
        folder: Where it may write.
        rules: Files with rules.
    """
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no prometheus on the PATH (Debian and Ubuntu: apt install prometheus)")
    configs = [{"targets": [name], "labels": dict(labels)} for name, labels in targets.items()]
    file = folder / "prometheus.json"
    file.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(path) for path in rules],
                "scrape_configs": [{"job_name": "scripta", "static_configs": configs}],
            }
        )
    )
    place = f"127.0.0.1:{free_port()}"
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program,
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={place}",
            stdout=log,
            stderr=log,
        )
    try:
        server = Prometheus(f"http://{place}")
        async with asyncio.timeout(_START_SECONDS):
            while not await server.is_ready():
                assert process.returncode is None, (folder / "log").read_text()
                await asyncio.sleep(0.1)
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
