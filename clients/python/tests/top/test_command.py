from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from scripta_client.top.errors import TopUnavailable
from scripta_client.top.opening import run_top

pytestmark = pytest.mark.asgi

SLOTS = b"scripta_transcriber_slots 4\nscripta_transcriber_slots_in_use 1\n"


@pytest.fixture
async def transcriber():
    """The address of something that exports four slots."""

    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(SLOTS)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + SLOTS)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_once_prints_one_look_without_colours(scripta, transcriber):
    done = await scripta("top", transcriber, "--once", "--interval", "0.1")
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    assert re.search(rf"^{transcriber} +██░+ +1/4 ", done.out, re.MULTILINE)


async def test_pipe_gets_one_look_as_well(scripta, transcriber):
    done = await scripta("top", transcriber, "--interval", "0.1")
    assert done.code == 0
    assert done.out.count("Scripta ") == 1


async def test_json_is_one_object(scripta, transcriber):
    done = await scripta("top", f"http://{transcriber}/metrics", "--json", "--interval", "0.1")
    assert done.code == 0
    view = json.loads(done.out)
    assert view["health"] == "healthy"
    assert [(one["slots"], one["slots_in_use"]) for one in view["transcribers"]] == [(4, 1)]


async def test_gateway_is_that_of_the_environment(scripta):
    done = await scripta("top", "--json", "--interval", "0.1", url="ws://127.0.0.1:1/ws")
    assert done.code == 3
    assert json.loads(done.out)["silent"] == {"127.0.0.1:1": "no connection"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["ftp://host"], 2, "'ftp://host' is not the address of a service"),
        (["host", "--prometheus", "http://p"], 2, "name services or a Prometheus, not both"),
        (["--namespace", "speech"], 2, "--namespace needs --prometheus"),
        (["--interval", "0"], 2, "'0' is not between 0.1 and 3600"),
        (["--prometheus", "http://127.0.0.1:1"], 3, "no connection to Prometheus at 127.0.0.1:1"),
    ],
)
async def test_failure_is_one_line_and_an_exit_code(scripta, arguments, code, said):
    done = await scripta("top", *arguments)
    assert done.code == code
    assert len(done.err.splitlines()) == 1
    assert said in done.err


async def test_missing_library_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setattr("scripta_client.top.opening.find_spec", lambda name: None)
    with pytest.raises(TopUnavailable, match=r"rich missing; pip install 'scripta-client\[top\]'"):
        await run_top(None, asyncio.Event())


def test_library_does_not_load_the_live_view():
    code = (
        "import sys, scripta_client; print([n for n in sys.modules if 'top' in n or n == 'rich'])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert loaded.stdout.strip() == b"[]"


async def test_on_a_terminal_it_draws_again_until_interrupted(transcriber):
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripta_client", "top", transcriber, "--interval", "0.1"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
    )
    os.close(theirs)
    drawn = asyncio.create_task(asyncio.to_thread(read_until, ours, b"transcriber ", 3))
    try:
        async with asyncio.timeout(20):
            assert b"\x1b[?1049h" in await drawn
            process.send_signal(signal.SIGINT)
            rest = asyncio.create_task(asyncio.to_thread(read_until, ours, b"\x1b[?1049l", 1))
            assert await process.wait() == 0
            assert b"\x1b[?1049l" in await rest
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(ours)


def read_until(terminal: int, mark: bytes, times: int) -> bytes:
    """Returns what was written until something was seen so many times, or the other end closed."""
    seen = b""
    while seen.count(mark) < times:
        try:
            seen += os.read(terminal, 65_536)
        except OSError:
            break
    return seen
