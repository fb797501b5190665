"""The decoders' processes as the gateway sees them: one zygote, and what is forked from it.

The zygote is started with the first stream at the latest. If it dies it is started again, and the
streams that live go on: they talk to the gateway over sockets of their own.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import Final as Constant

from scripta_gateway.audio.confinement import adopt_orphans
from scripta_gateway.audio.orders import FORK, KILL, ORDER_BYTES, SLOW

logger = logging.getLogger(__name__)

PROGRAM: Constant = (
    "import sys; from scripta_gateway.audio.zygote import main; main(int(sys.argv[1]))"
)
_ENVIRONMENT: Constant = {
    # Nothing of the gateway's own: that has the broker's password in it.
    "PATH": os.defpath,
    "LC_ALL": "C.UTF-8",
    "MALLOC_ARENA_MAX": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_RESTART_SECONDS: Constant = 1.0
_STOP_SECONDS: Constant = 2.0


class DecoderProcesses:
    """Starts, slows down and ends the processes that decode. Belongs to no event loop.

    Args:
        program: What the zygote runs; its argument is the number of its control socket.
    """

    def __init__(self, program: str = PROGRAM) -> None:
        self._program = program
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._started_at = 0.0
        self._living: set[int] = set()
        # Those that have been told to end and not been seen to.
        self._doomed: set[int] = set()
        # Decoders whose zygote has died. This process is their parent now (on Linux).
        self._orphans: set[int] = set()

    @property
    def living(self) -> frozenset[int]:
        """The process ids of all decoders that have not been seen to end."""
        return frozenset(self._living | self._orphans)

    @property
    def zygote_pid(self) -> int:
        """The zygote's process id, 0 if there is none."""
        return 0 if self._zygote is None else self._zygote.pid

    def start(self) -> None:
        """Starts the zygote if it does not run; returns before it is ready.

        Raises:
            OSError: It can not be started, or has just been.
        """
        if self._zygote is not None and self._zygote.poll() is None:
            return
        self._give_up_zygote()
        now = time.monotonic()
        if now - self._started_at < _RESTART_SECONDS:
            raise BlockingIOError("the decoders' process has ended twice within a second")
        self._started_at = now
        adopt_orphans()
        ours, theirs = socket.socketpair()
        try:
            self._zygote = subprocess.Popen(
                [sys.executable, "-I", "-B", "-c", self._program, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env=_ENVIRONMENT,
                pass_fds=(theirs.fileno(),),
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self._control = ours

    def fork(self) -> socket.socket:
        """Returns the socket of a new decoder, which first says its process id.

        If nobody is at its other end, it reads as closed.

        Raises:
            OSError: There is no zygote, or it does not keep up.
        """
        self._reap()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            self._send(FORK.ljust(ORDER_BYTES, b"\0"), theirs)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return ours

    def born(self, pid: int) -> None:
        """Takes note of a decoder."""
        self._living.add(pid)

    def slow_down(self, pid: int) -> None:
        """Lets a decoder compute only in time that nobody else wants."""
        self._order(SLOW, pid)

    def kill(self, pid: int) -> None:
        """Ends a decoder, whatever it is doing."""
        self._doomed.add(pid)
        if pid in self._living:
            self._order(KILL, pid)
        self._kill_orphan(pid)

    def gone(self, pid: int) -> None:
        """Takes note that a decoder has ended."""
        self._living.discard(pid)
        self._doomed.discard(pid)
        self._reap()

    def restart(self) -> None:
        """Ends a zygote that does not answer; the next stream starts another one."""
        logger.warning("decoders' process does not answer")
        if self._zygote is not None:
            self._zygote.kill()
            self._zygote.wait()
        self._give_up_zygote()

    def close(self) -> None:
        """Ends the zygote, and every decoder with it."""
        if self._control is not None:
            self._control.close()
        if self._zygote is not None:
            try:
                self._zygote.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._zygote.kill()
                self._zygote.wait()
        for pid in list(self._orphans):
            self._kill_orphan(pid)
        self._zygote = self._control = None
        self._started_at = 0.0

    def _order(self, letter: bytes, pid: int) -> None:
        order = letter + pid.to_bytes(ORDER_BYTES - 1, "little")
        try:
            if self._control is not None:
                self._control.send(order)
        except BlockingIOError:
            self.restart()
        except OSError:
            self._give_up_zygote()

    def _send(self, order: bytes, theirs: socket.socket) -> None:
        for attempt in (1, 2):
            self.start()
            if self._control is None:
                raise ConnectionError("the decoders' process has no control socket")
            try:
                socket.send_fds(self._control, [order], [theirs.fileno()])
            except ConnectionError:
                self._give_up_zygote()
                if attempt == 2:
                    raise
            else:
                return

    def _give_up_zygote(self) -> None:
        """Forgets a zygote that is dead or dying; its decoders live on as orphans."""
        if self._control is not None:
            self._control.close()
        if self._zygote is not None:
            self._zygote.kill()
            self._zygote.wait()
            logger.warning("decoders' process ended", extra={"code": self._zygote.returncode})
        self._orphans |= self._living
        self._living.clear()
        self._zygote = self._control = None
        for pid in self._orphans & self._doomed:
            self._kill_orphan(pid)

    def _kill_orphan(self, pid: int) -> None:
        if pid in self._orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self._reap()

    def _reap(self) -> None:
        for pid in self._living & self._doomed:
            if not _is_there(pid):
                self._living.discard(pid)
                self._doomed.discard(pid)
        for pid in list(self._orphans):
            try:
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            except ChildProcessError:
                pass  # another process is its parent, and reaps it
            self._orphans.discard(pid)
            self._doomed.discard(pid)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


SHARED_PROCESSES: Constant = DecoderProcesses()
"""The gateway's."""
