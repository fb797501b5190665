"""A supervised child: its lines, its restarts, its end."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import pytest

from scripta_local.console import Console
from scripta_local.process import Backoff, Child, describe_exit

pytestmark = pytest.mark.unit

Until = Callable[..., Awaitable[None]]
QUICK = Backoff(first=0.01, longest=0.02, healthy=60)


def child(code: str, stream: io.StringIO, *, backoff: Backoff | None = None) -> Child:
    command = (sys.executable, "-u", "-c", code)
    return Child("worker", command, env=dict(os.environ), console=Console(stream), backoff=backoff)


def test_backoff_doubles_up_to_its_cap() -> None:
    backoff = Backoff(first=0.5, longest=15, healthy=20)
    assert [backoff.delay(n) for n in range(1, 8)] == [0.5, 1, 2, 4, 8, 15, 15]
    assert backoff.delay(100_000) == 15


def test_backoff_starts_anew_after_a_healthy_life() -> None:
    backoff = Backoff(healthy=20)
    assert backoff.failures(6, lived=19.9) == 7
    assert backoff.failures(6, lived=20.0) == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exited with code 0"),
        (3, "exited with code 3"),
        (-9, "was killed by SIGKILL"),
        (-99, "was killed by signal 99"),
    ],
)
def test_exit_is_told_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words


async def test_both_outputs_come_joined_and_prefixed(until: Until) -> None:
    stream = io.StringIO()
    worker = child("import sys; print('one'); print('two', file=sys.stderr)", stream)
    await worker.start()
    await until(lambda: worker.exits == 1)
    assert "worker        | one\nworker        | two\n" in stream.getvalue()
    assert worker.tail == ("one", "two")


async def test_endless_line_is_passed_on_in_pieces(until: Until) -> None:
    stream = io.StringIO()
    worker = child("import sys; sys.stdout.write('z' * 1_000_000)", stream)
    await worker.start()
    await until(lambda: worker.exits == 1)
    assert stream.getvalue().count("z") == 1_000_000
    assert max(len(line) for line in worker.tail) <= 3 * 65_536


async def test_dead_child_is_started_again_and_the_log_says_why(until: Until) -> None:
    stream = io.StringIO()
    worker = child("print('up'); import time; time.sleep(60)", stream, backoff=QUICK)
    await worker.start()
    first = worker.pid
    await until(lambda: worker.tail == ("up",))
    worker.kill(signal.SIGKILL)
    await until(lambda: worker.tail == ("up", "up"))
    assert worker.pid not in (None, first)
    assert "worker was killed by SIGKILL; starting it again in 0.01 s." in stream.getvalue()
    await worker.stop(5)
    assert not worker.alive


async def test_without_backoff_a_dead_child_stays_dead(until: Until) -> None:
    stream = io.StringIO()
    worker = child("raise SystemExit(7)", stream)
    await worker.start()
    await until(lambda: worker.exits == 1)
    assert worker.exit_code == 7
    assert worker.pid is None
    assert stream.getvalue() == "worker exited with code 7.\n"
    await worker.stop(5)


async def test_stop_ends_a_crash_loop_during_its_wait(until: Until) -> None:
    stream = io.StringIO()
    worker = child("raise SystemExit(1)", stream, backoff=Backoff(first=3600, longest=3600))
    await worker.start()
    await until(lambda: worker.exits == 1)
    await worker.stop(5)
    assert worker.exits == 1
    assert not worker.alive


async def test_stop_asks_first(until: Until) -> None:
    stream = io.StringIO()
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye'), sys.exit(0)))\n"
        "print('up')\n"
        "time.sleep(60)"
    )
    worker = child(code, stream, backoff=QUICK)
    await worker.start()
    await until(lambda: "up" in worker.tail)
    await worker.stop(10)
    assert worker.tail == ("up", "bye")
    assert worker.exit_code == 0
    assert worker.exits == 0


async def test_stop_kills_what_does_not_listen(until: Until) -> None:
    stream = io.StringIO()
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('up')\n"
        "time.sleep(60)"
    )
    worker = child(code, stream)
    await worker.start()
    await until(lambda: "up" in worker.tail)
    await worker.stop(0.1)
    assert worker.exit_code == -signal.SIGKILL
    assert "did not stop within 0.1 s" in stream.getvalue()


async def test_stop_reaches_a_frozen_child(until: Until) -> None:
    stream = io.StringIO()
    worker = child("print('up'); import time; time.sleep(60)", stream)
    await worker.start()
    await until(lambda: "up" in worker.tail)
    worker.kill(signal.SIGSTOP)
    await worker.stop(10)
    assert worker.exit_code == -signal.SIGTERM


async def test_interrupt_of_the_terminal_does_not_reach_a_child(until: Until) -> None:
    stream = io.StringIO()
    worker = child("import os; print(os.getsid(0) == os.getpid())", stream)
    await worker.start()
    await until(lambda: worker.exits == 1)
    assert worker.tail == ("True",)
