"""Progress: a line that is written over on a terminal, a plain one now and then elsewhere."""

from __future__ import annotations

import io

import pytest

from scripta_models.errors import megabytes
from scripta_models.progress import Progress, duration, progress_line

pytestmark = pytest.mark.unit


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("done", "total", "rate", "line"),
    [
        (120_000_000, 652_184_281, 23.1e6, "120.0 MB of 652.2 MB (18 %), 23.1 MB/s, 23 s left"),
        (500, None, 1000.0, "500 bytes, 1.0 kB/s"),
        (10, 10, 5.0, "10 bytes of 10 bytes (100 %), 5 bytes/s"),
        (0, 10, 0.0, "0 bytes of 10 bytes (0 %), 0 bytes/s"),
    ],
)
def test_line_says_bytes_rate_and_time(
    done: int, total: int | None, rate: float, line: str
) -> None:
    assert progress_line("m", done, total, rate) == f"m: {line}"


@pytest.mark.parametrize(
    ("seconds", "text"), [(59.4, "59 s"), (60, "1 min 0 s"), (3725, "1 h 2 min")]
)
def test_duration_is_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_large_numbers_are_short() -> None:
    assert [megabytes(n) for n in (999, 1500, 2_500_000, 3_090_000_000)] == [
        "999 bytes",
        "1.5 kB",
        "2.5 MB",
        "3.09 GB",
    ]


def test_without_a_terminal_a_line_comes_every_few_seconds() -> None:
    """Guards a pod's log: neither silence nor a line a block."""
    log, clock = io.StringIO(), Clock()
    progress = Progress(log, "m", clock)
    progress.begin(1_000_000)
    progress.have(100_000)
    for _ in range(20):
        clock.now += 0.5
        progress.fetched(25_000)
    lines = log.getvalue().splitlines()
    assert lines == [
        "m: 350.0 kB of 1.0 MB (35 %), 50.0 kB/s, 13 s left",
        "m: 600.0 kB of 1.0 MB (60 %), 50.0 kB/s, 8 s left",
    ]


def test_on_a_terminal_the_line_is_written_over() -> None:
    screen, clock = Terminal(), Clock()
    progress = Progress(screen, "m", clock)
    for _ in range(2):
        clock.now += 1
        progress.fetched(1000)
    progress.note("done")
    assert screen.getvalue() == (
        "\r\x1b[Km: 1.0 kB, 1.0 kB/s\r\x1b[Km: 2.0 kB, 1.0 kB/s\r\x1b[Km: done\n"
    )
