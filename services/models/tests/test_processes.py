"""The command as processes: killed in the middle, two at once, on a disk that is full."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from .conftest import Handler, Server, hidden, send, sha256

pytestmark = pytest.mark.asgi

CONTENT = bytes(range(256)) * 40_000
"""10 MB."""
NAME = "model.bin"


class Running:
    """The command as a process."""

    def __init__(self, *arguments: object, limit: Callable[[], None] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripta_models", "fetch", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=limit,
        )

    def ended(self) -> tuple[int, str, str]:
        """Returns the exit code, and what it wrote to each stream."""
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@pytest.fixture
def start(server: Server) -> Iterator[Callable[..., Running]]:
    """Starts the command for a model of one file; ends what is still there afterwards."""
    server.files |= {f"/m/{NAME}": CONTENT}
    started: list[Running] = []

    def run(
        folder: Path,
        *more: object,
        sums: str = sha256(CONTENT),
        limit: Callable[[], None] | None = None,
    ) -> Running:
        arguments = ("m", "--source", f"{server.url}/m", "--sha256", f"{NAME}={sums}")
        started.append(Running(*arguments, "--to", folder, *more, limit=limit))
        return started[-1]

    yield run
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()


class Gate:
    """Lets a server send the first part of a file, and the rest when the test says so."""

    def __init__(self, server: Server, first: int) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        self._first = first
        server.acts.append(self)

    def __call__(self, handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("ETag", Server().tag(content))
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        try:
            handler.wfile.write(content[: self._first])
            handler.wfile.flush()
            self.reached.set()
            self.opened.wait(20)
            handler.wfile.write(content[self._first :])
        except OSError:
            handler.close_connection = True


def test_killed_process_leaves_nothing_half_made_and_the_next_goes_on(
    tmp_path: Path, server: Server, start: Callable[..., Running], eventually: Callable
) -> None:
    """Guards a model folder that a killed pod left with half a file in it."""
    gate = Gate(server, 5_000_000)
    first = start(tmp_path)
    assert gate.reached.wait(20)
    part = tmp_path / ".m.partial" / f"{NAME}.part"
    eventually(lambda: part.exists() and part.stat().st_size > 4_000_000)
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    gate.opened.set()
    assert not (tmp_path / "m").exists()
    kept = part.stat().st_size
    code, out, err = start(tmp_path).ended()
    assert (code, out) == (0, f"{tmp_path / 'm'}\n"), err
    assert (tmp_path / "m" / NAME).read_bytes() == CONTENT
    assert server.seen[-1].headers["Range"] == f"bytes={kept}-"
    assert hidden(tmp_path) == []


def test_second_process_waits_and_finds_the_model(
    tmp_path: Path, server: Server, start: Callable[..., Running], eventually: Callable
) -> None:
    """Guards two pods that start together on one volume: the file is fetched once."""
    gate = Gate(server, 1000)
    first = start(tmp_path)
    assert gate.reached.wait(20)
    second = start(tmp_path)
    line = second.process.stderr.readline()
    assert line == "m: another process fetches it; waiting for that\n"
    gate.opened.set()
    assert first.ended()[0] == 0
    code, out, err = second.ended()
    assert (code, out) == (0, f"{tmp_path / 'm'}\n")
    assert "has all 1 files" in err
    assert len(server.seen) == 1


def test_process_that_waits_too_long_says_for_what(
    tmp_path: Path, server: Server, start: Callable[..., Running]
) -> None:
    gate = Gate(server, 1000)
    start(tmp_path)
    assert gate.reached.wait(20)
    code, _, err = start(tmp_path, "--wait", "0.3").ended()
    gate.opened.set()
    assert code == 1
    assert "another process has held" in err
    assert "--wait SECONDS" in err


def test_wrong_checksum_has_a_code_and_a_message_of_its_own(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    """Guards a pod of which nobody finds out why it does not start."""
    message = tmp_path / "termination-log"
    code, out, err = start(tmp_path, "--message-to", message, sums="0" * 64).ended()
    assert (code, out) == (4, "")
    words = f"m: {NAME} from"
    assert err.splitlines()[-1].startswith(f"scripta-models: {words}")
    assert message.read_text().startswith(words)
    assert message.read_text().count("\n") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder],
            capture_output=True,
            check=False,
        ).returncode
    )
    if not mounted:
        pytest.skip("this user can not mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_full_disk_is_told_when_the_server_says_how_much_comes(
    small_disk: Path, start: Callable[..., Running]
) -> None:
    code, out, err = start(small_disk).ended()
    assert (code, out) == (5, "")
    assert "has no room: 10.2 MB more are needed, 4.2 MB are free" in err


def test_full_disk_is_told_in_the_middle(
    small_disk: Path, server: Server, start: Callable[..., Running]
) -> None:
    """Guards a size that nobody knew beforehand: the disk itself says that it is full."""

    def without_length(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):
            handler.wfile.write(content)

    server.acts.append(without_length)
    code, out, err = start(small_disk).ended()
    assert (code, out) == (5, "")
    assert f"{small_disk} has no room" in err
    assert not (small_disk / "m").exists()


def test_full_disk_is_told_before_anything_is_fetched(
    small_disk: Path, server: Server, tmp_path: Path
) -> None:
    catalogue = tmp_path / "catalogue.json"
    files = f'{{"path": "{NAME}", "sha256": "{sha256(CONTENT)}", "size": {len(CONTENT)}}}'
    catalogue.write_text(
        '{"models": [{"name": "m", "title": "", "engine": "whisper", "licence": "MIT", '
        f'"languages": ["en"], "sources": [{{"uri": "{server.url}/m"}}], "files": [{files}]}}]}}'
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "scripta_models",
            "--catalogue",
            catalogue,
            "fetch",
            "m",
            "--to",
            small_disk,
        ],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 5
    assert "10.2 MB more are needed, 4.2 MB are free" in done.stderr
    assert server.seen == []


def test_limit_of_a_files_size_is_a_full_disk_too(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    """The same for users who can not mount one."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    code, _, err = start(tmp_path, limit=limit).ended()
    assert code == 5
    assert "has no room" in err


def test_interrupted_process_ends_quietly_and_keeps_what_it_has(
    tmp_path: Path, server: Server, start: Callable[..., Running], eventually: Callable
) -> None:
    gate = Gate(server, 5_000_000)
    running = start(tmp_path)
    assert gate.reached.wait(20)
    part = tmp_path / ".m.partial" / f"{NAME}.part"
    eventually(lambda: part.exists() and part.stat().st_size > 1_000_000)
    running.process.send_signal(signal.SIGINT)
    code, _, err = running.ended()
    gate.opened.set()
    assert code == 130
    assert "Traceback" not in err
    assert part.stat().st_size > 1_000_000


def test_reader_that_has_enough_is_no_fault() -> None:
    """Guards a traceback after ``scripta-models list | head -1``."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "scripta_models", "list"],
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=20,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_good_server_needs_no_more_than_one_request(
    tmp_path: Path, server: Server, start: Callable[..., Running]
) -> None:
    server.acts.append(lambda handler, content: send(handler, server, content))
    assert start(tmp_path).ended()[0] == 0
    assert len(server.seen) == 1
