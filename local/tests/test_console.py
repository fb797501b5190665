"""What a person sees."""

from __future__ import annotations

import io

import pytest

from scripta_local.console import Console

pytestmark = pytest.mark.unit


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_pipe_gets_plain_lines_and_no_live_text() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.live("it was")
    console.line("gateway", "up")
    assert stream.getvalue() == "gateway       | up\n"


def test_terminal_gets_a_colour_a_child_and_keeps_it() -> None:
    stream = Terminal()
    console = Console(stream)
    for name in ("gateway", "broker", "gateway"):
        console.line(name, "up")
    first, second, third = stream.getvalue().splitlines()
    assert first == third
    assert first[:6] != second[:6]


def test_line_replaces_the_live_text() -> None:
    stream = Terminal()
    console = Console(stream)
    console.live("it was")
    console.live("it was the best")
    console.note("It was the best of times")
    assert stream.getvalue().count("\r\x1b[2K") == 2
    assert stream.getvalue().endswith("\r\x1b[2KIt was the best of times\n")


def test_live_text_longer_than_the_terminal_shows_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    Console(stream).live("it was the best of times it was the worst")
    assert len(stream.getvalue()) == 19
    assert stream.getvalue().endswith("the worst")


def test_reader_that_went_away_does_not_stop_the_stack() -> None:
    console = Console(Broken())
    console.note("one")
    console.note("two")
