"""The load kit, headless, against the running system: what it counts and when it fails."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from raw_client import frame
from recordings import TWO_CITIES_TEXT

from scripta_local.ports import free_port
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

LOCUSTFILE = Path(__file__).parents[2] / "loadtest/locustfile.py"
PATIENCE = 120.0
"""Longest time for a run, in seconds: far beyond what one takes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    output: str

    def row(self, name: str) -> str:
        found = re.search(rf"(?m)^{name} +(.*)$", self.output)
        assert found, self.output
        return found[1]


@asynccontextmanager
async def locust(*arguments: object) -> AsyncIterator[Process]:
    command = (sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *map(str, arguments))
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def outcome(process: Process) -> Outcome:
    async with asyncio.timeout(PATIENCE):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return Outcome(process.returncode, output.decode())


def headless(url: str, *, users: int, seconds: int) -> list[object]:
    return [
        *("--headless", "--only-summary", "--host", url, "--users", users, "--spawn-rate", 10),
        *("--run-time", f"{seconds}s", "--stagger", "0.5"),
    ]


async def load(url: str, *more: object, users: int = 2, seconds: int = 5) -> Outcome:
    async with locust(*headless(url, users=users, seconds=seconds), *more) as process:
        return await outcome(process)


async def test_real_speech_loses_no_word(tmp_path: Path) -> None:
    """Whole sessions, whose audio ends in mid-sentence, and others that the run's end cuts."""
    statistics = tmp_path / "statistics"
    more = ("--session-seconds", 11, "--json-file", statistics)
    async with Stack() as system:
        run = await load(system.ws_url, *more, users=3, seconds=20)
    assert run.code == 0, run.output
    assert run.output.count("\nPassed.") == 1
    counts = re.fullmatch(r"(\d+) expected, 0 lost, 0 added, 0 changed", run.row("words"))
    assert counts, run.output
    # Of eleven seconds at least the first segment, of twenty words; three of them are whole.
    assert int(counts[1]) >= 60
    assert run.row("connections") == "0 broken, 0 refused with 503"
    latencies = written(tmp_path)
    assert latencies.keys() == {"connect", "first interim", "final", "close"}
    for row in latencies.values():
        assert row["num_requests"] >= 3
        assert row["num_failures"] == 0
        assert 0 <= row["min_response_time"] <= row["max_response_time"] < 1000 * PATIENCE
    assert latencies["close"]["num_requests"] == latencies["connect"]["num_requests"]


def written(folder: Path) -> dict[str, dict[str, Any]]:
    """The statistics that Locust has written, by name."""
    (file,) = folder.iterdir()
    return {row["name"]: row for row in json.loads(file.read_text())}


@pytest.fixture
async def mock() -> AsyncIterator[Stack]:
    """A system with the mock engine, in which nothing is started again."""
    async with Stack(engine="mock", restart=False) as stack:
        yield stack


async def sessions(system: Stack) -> float:
    def read() -> str:
        with urlopen(f"{system.url}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    found = re.search(r"(?m)^scripta_gateway_sessions (\S+)$", await asyncio.to_thread(read))
    assert found
    return float(found[1])


async def test_gateway_that_dies_under_load_fails_the_test(mock: Stack) -> None:
    arguments = headless(mock.ws_url, users=3, seconds=12)
    async with locust(*arguments, "--session-seconds", "30") as process:
        async with asyncio.timeout(PATIENCE):
            while await sessions(mock) < 3:  # noqa: ASYNC110 - another process sets no event
                await asyncio.sleep(0.05)
        await mock.kill_gateway()
        run = await outcome(process)
    assert run.code == 1, run.output
    assert re.search(
        r"FAILED: no session came to its end; \d+ connections broke or did not open "
        r"\(1006: 3, not opened: \d+; allowed 0\)",
        run.output,
    ), run.output


async def test_workers_add_up_at_their_master(mock: Stack) -> None:
    port = free_port()
    arguments = headless(mock.ws_url, users=4, seconds=8)
    several = ("--master", "--master-bind-port", port, "--expect-workers", 2)
    worker = ("--worker", "--master-port", port)
    async with (
        locust(*arguments, *several, "--session-seconds", "3") as master,
        locust(*worker) as one,
        locust(*worker) as other,
    ):
        run, *workers = await asyncio.gather(*map(outcome, (master, one, other)))
    assert [each.code for each in (run, *workers)] == [0, 0, 0], run.output
    counts = re.fullmatch(r"(\d+) expected, 0 lost, 0 added, 0 changed", run.row("words"))
    assert counts, run.output
    # Four users, of whom each comes to a whole session of thirty messages.
    assert int(counts[1]) >= 4 * 30
    assert run.row("messages").startswith(f"{counts[1]} sent")


async def test_gateway_without_room_is_asked_again_and_nothing_else(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text(TWO_CITIES_TEXT)
    async with Stack(engine="mock", env={"MAX_SESSIONS": "1"}) as system:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", system.port)
            writer.write(
                b"GET /ws HTTP/1.1\r\nHost: g\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            assert b" 101 " in await reader.readline()
            # Who says nothing would make room.
            writer.write(frame(2, bytes(3200)))
            await reader.readuntil(b'"received"')
        run = await load(system.ws_url, "--reference", words)
        writer.close()
    assert run.code == 1, run.output
    assert "FAILED: no session came to its end\n" in run.output
    refused = re.fullmatch(r"0 broken, (\d+) refused with 503", run.row("connections"))
    assert refused
    assert int(refused[1]) >= 2


async def test_load_on_nobody_is_not_run() -> None:
    run = await load(f"ws://127.0.0.1:{free_port()}/ws")
    assert run.code == 2, run.output
    assert re.search(r"FAILED: The first pass failed at ws://\S+: no connection", run.output)
