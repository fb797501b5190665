"""``make run`` as a person meets it: a process, what it prints, what it leaves."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import socket
import ssl
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from certificates import self_signed

from scripta_local.__main__ import Application
from scripta_local.console import Console
from scripta_local.models import Serving
from scripta_local.ports import free_port
from scripta_local.settings import LocalSettings
from scripta_local.stack import Commands

Gone = Callable[[int], bool]
Until = Callable[..., Awaitable[None]]
SECONDS = 60.0


@asynccontextmanager
async def running(**env: str) -> AsyncIterator[Process]:
    """Runs the command with the mock engine; the process is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripta_local"),
        env={**os.environ, "ENGINE": "mock", "APP_PORT": str(free_port()), **env},
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def read_until(process: Process, phrase: str) -> str:
    """Returns what it printed up to the line with the phrase."""
    assert process.stdout is not None
    output = ""
    async with asyncio.timeout(SECONDS):
        while line := (await process.stdout.readline()).decode():
            output += line
            if phrase in line:
                return output
    raise AssertionError(f"it ended without saying {phrase!r}:\n{output}")


async def end_of(process: Process) -> tuple[int, str]:
    """Returns its exit code and what it still printed."""
    async with asyncio.timeout(SECONDS):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def descendants(pid: int) -> list[int]:
    """Returns the processes below a process."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *descendants(child))]


@pytest.mark.system
async def test_run_transcribes_its_demo_and_says_where_to_go() -> None:
    port = str(free_port())
    async with running(APP_PORT=port) as process:
        output = await read_until(process, "transcribe FILE")
        assert re.findall(r"Transcribed: .* \(size: (\d+) bytes\)", output) == [
            str(1024 * n) for n in range(1, 6)
        ]
        assert f"http://127.0.0.1:{port}/\n" in output
        assert f"ws://127.0.0.1:{port}/ws\n" in output
        assert f"--url ws://127.0.0.1:{port}/ws" in output


@pytest.mark.system
async def test_run_speaks_tls_where_it_has_a_certificate(tmp_path: Path) -> None:
    """Guards the check for readiness, the demo, and the addresses that are printed."""
    pair, port = self_signed(), str(free_port())
    certificate, key = pair.write(tmp_path)
    files = {"TLS_CERT_FILE": str(certificate), "TLS_KEY_FILE": str(key)}
    async with running(APP_PORT=port, **files) as process:
        output = await read_until(process, "live view")
        assert len(re.findall(r"Transcribed: .* \(size: \d+ bytes\)", output)) == 5
        assert f"browser    https://127.0.0.1:{port}/\n" in output
        assert f"--url wss://127.0.0.1:{port}/ws --ca {certificate}\n" in output
        assert f"top https://127.0.0.1:{port} " in output
        trusts = ssl.create_default_context(cadata=pair.certificate.decode())
        async with httpx.AsyncClient(trust_env=False, verify=trusts) as client:
            page = await client.get(f"https://127.0.0.1:{port}/")
        assert page.status_code == 200


@pytest.mark.system
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_signal_stops_everything_with_exit_code_0(number: signal.Signals, gone: Gone) -> None:
    async with running(DEMO="0", TRANSCRIBERS="2") as process:
        await read_until(process, "Scripta is up")
        pids = descendants(process.pid)
        # Broker, gateway, what the gateway forks its decoders from, and two transcribers.
        assert len(pids) == 5
        process.send_signal(number)
        code, output = await end_of(process)
    assert code == 0
    assert "Everything is stopped." in output
    assert "killing it" not in output
    assert all(gone(pid) for pid in pids)


@pytest.mark.system
async def test_signal_during_the_start_stops_everything(gone: Gone) -> None:
    async with running() as process:
        await read_until(process, "Waiting for")
        pids = descendants(process.pid)
        assert len(pids) == 3
        process.send_signal(signal.SIGINT)
        code, _ = await end_of(process)
    assert code == 0
    assert all(gone(pid) for pid in pids)


@pytest.mark.system
async def test_port_in_use_is_told_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        async with running(APP_PORT=str(port)) as process:
            code, output = await end_of(process)
    assert code == 1
    assert f"Port {port} is in use" in output
    assert f"make run APP_PORT={port + 1}" in output
    assert "Traceback" not in output


@pytest.mark.system
async def test_broker_that_does_not_answer_is_told_without_its_password() -> None:
    url = f"redis://user:s3cret@127.0.0.1:{free_port()}/0"
    async with running(REDIS_URL=url) as process:
        code, output = await end_of(process)
    assert code == 1
    assert f"{url.replace('s3cret', '***')} does not answer" in output
    assert "s3cret" not in output
    assert "Traceback" not in output


@pytest.mark.system
async def test_option_out_of_range_is_named() -> None:
    async with running(TRANSCRIBERS="none", APP_PORT="99999") as process:
        code, output = await end_of(process)
    assert code == 2
    assert "TRANSCRIBERS='none' is not valid" in output
    assert "APP_PORT='99999' is not valid" in output
    assert "Traceback" not in output


@pytest.mark.system
async def test_unknown_model_is_told_with_those_there_are() -> None:
    async with running(ENGINE="", MODEL="whisper-huge") as process:
        code, output = await end_of(process)
    assert code == 2
    assert "There is no model 'whisper-huge'" in output
    assert "moonshine-tiny-en or whisper-base" in output
    assert "Traceback" not in output


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def application(standins: Commands, stream: io.StringIO) -> Application:
    """The same with stand-ins for the services, in this process."""
    settings = LocalSettings(engine="mock", app_port=free_port(), redis_url=None)
    return Application(settings, Serving("mock"), Console(stream), standins)


@pytest.mark.store
async def test_failed_demo_is_told_and_the_stack_stays_up(
    application: Application, stream: io.StringIO, until: Until
) -> None:
    run = asyncio.create_task(application.run())
    await until(lambda: "Scripta is up" in stream.getvalue() or run.done())
    assert "The demo failed: " in stream.getvalue()
    application.stop()
    assert await run == 0


@pytest.mark.store
async def test_second_signal_kills_services_that_do_not_drain(
    application: Application,
    stream: io.StringIO,
    until: Until,
    gone: Gone,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STANDIN", "stubborn")
    before = set(descendants(os.getpid()))
    run = asyncio.create_task(application.run())
    await until(lambda: "Scripta is up" in stream.getvalue() or run.done())
    pids = set(descendants(os.getpid())) - before
    application.stop()
    await until(lambda: "once more kills" in stream.getvalue())
    application.stop()
    assert await asyncio.wait_for(run, 30) == 0
    # Nobody's grace ran out: it was the second signal that ended them.
    assert "killing it" not in stream.getvalue()
    assert len(pids) == 3
    assert all(gone(pid) for pid in pids)
