"""The process that decoders are forked from: loaded once, so that one costs milliseconds.

It never reads a byte of a client. It has no environment, no descriptor and no memory of the
gateway's, and one thread, so that a fork is safe. Orders come over its control socket. When the
gateway goes, so does it, and every decoder with it.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
from contextlib import suppress
from typing import Final as Constant

from scripta_gateway.audio.child import STREAM_FD, decode_stream
from scripta_gateway.audio.confinement import let_the_gateway_go_first, make_idle
from scripta_gateway.audio.orders import FORK, KILL, ORDER_BYTES, SLOW
from scripta_gateway.audio.warmth import warm_up


class Zygote:
    """Forks decoders and reaps them.

    Args:
        control: Where the gateway's orders come from.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: set[int] = set()

    def run(self) -> None:
        """Carries out orders until the gateway has gone."""
        woken, waker = os.pipe()
        os.set_blocking(waker, False)
        os.set_blocking(woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        try:
            while True:
                ready, _, _ = select.select([self._control.fileno(), woken], [], [])
                if woken in ready:
                    with suppress(BlockingIOError):
                        os.read(woken, 512)
                    self._reap()
                if self._control.fileno() in ready and not self._obey():
                    return
        finally:
            for pid in self._children:
                os.kill(pid, signal.SIGKILL)

    def _obey(self) -> bool:
        """Carries out an order; returns false when the gateway has gone."""
        try:
            order, sockets, _, _ = socket.recv_fds(
                self._control, ORDER_BYTES, 1, socket.MSG_WAITALL
            )
        except ConnectionError:
            return False
        letter, pid = order[:1], int.from_bytes(order[1:], "little")
        if letter == FORK and sockets:
            self._fork(sockets[0])
        # Only of a child that is not reaped yet is it certain who has this id.
        elif letter == KILL and pid in self._children:
            os.kill(pid, signal.SIGKILL)
        elif letter == SLOW and pid in self._children:
            make_idle(pid)
        for descriptor in sockets:
            os.close(descriptor)
        return bool(order)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) > 0:
                self._children.discard(pid)

    def _fork(self, descriptor: int) -> None:
        try:
            pid = os.fork()
        except OSError:
            return  # the stream's socket closes, which the gateway sees
        if pid:
            self._children.add(pid)
            return
        # Nothing may come back from here into the zygote's loop, whatever happens.
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(descriptor, STREAM_FD)
            # What a C library says as it breaks down is no line of our log.
            os.dup2(os.open(os.devnull, os.O_WRONLY), _STDERR_FD)
            os.closerange(STREAM_FD + 1, _MOST_DESCRIPTORS)
            decode_stream(socket.socket(fileno=STREAM_FD))
        finally:
            os._exit(0)


_STDERR_FD: Constant = 2
_MOST_DESCRIPTORS: Constant = 64


def main(control_fd: int) -> None:
    """Runs the zygote on the control socket that it was started with."""
    # At a low number, so that a decoder finds all that it has to close.
    control = socket.socket(fileno=os.dup(control_fd))
    os.close(control_fd)
    for ignored in (signal.SIGINT, signal.SIGTERM):
        # They come to the whole group of a terminal or a container; the gateway ends us.
        signal.signal(ignored, signal.SIG_IGN)
    let_the_gateway_go_first()
    warm_up()
    gc.collect()
    gc.freeze()
    gc.disable()
    Zygote(control).run()
