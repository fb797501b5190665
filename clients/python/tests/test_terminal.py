from __future__ import annotations

import io

import pytest

from scripta_client.events import Interim
from scripta_client.output import unfinished
from scripta_client.streaming import Progress
from scripta_client.terminal import StatusLine, bar, cells, clip_left, figures

pytestmark = pytest.mark.unit


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def screen(text):
    """What a terminal's line shows after this was written to it."""
    return text.rpartition("\r\x1b[K")[2]


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")


@pytest.mark.usefixtures("narrow")
def test_interim_is_rewritten_in_place_and_keeps_its_newest_words():
    terminal = Terminal()
    status = StatusLine(terminal)
    status.interim("first words")
    status.interim("word " * 30 + "newest")
    assert "\n" not in terminal.getvalue()
    line = screen(terminal.getvalue())
    assert line.startswith("…")
    assert line.endswith("newest")
    assert cells(line) == 39


@pytest.mark.usefixtures("narrow")
def test_wide_letters_count_twice():
    terminal = Terminal()
    StatusLine(terminal).interim("語" * 60)
    assert cells(screen(terminal.getvalue())) <= 39


@pytest.mark.usefixtures("narrow")
def test_hidden_line_is_erased_and_comes_back():
    terminal = Terminal()
    status = StatusLine(terminal)
    status.interim("words")
    status.hide()
    assert screen(terminal.getvalue()) == ""
    status.interim("words")
    assert screen(terminal.getvalue()) == "words"


def test_without_a_terminal_nothing_is_written():
    stream = io.StringIO()
    status = StatusLine(stream)
    status.interim("words")
    status.progress(Progress(1.0, 1.0, 2.0, 1.0))
    status.hide()
    assert stream.getvalue() == ""


def test_terminal_of_few_letters_gets_replacements():
    class Old(Terminal):
        encoding = "ascii"

    terminal = Old()
    StatusLine(terminal).interim("größe")
    StatusLine(terminal).progress(Progress(1.0, 1.0, 2.0, 1.0))
    assert terminal.getvalue().isascii()


@pytest.mark.parametrize(
    ("progress", "drawn"),
    [
        (Progress(0.0, 0.0, 10.0, 0.0), "." * 24),
        (Progress(5.0, 2.5, 10.0, 1.0), "#" * 6 + "-" * 6 + "." * 12),
        (Progress(None, 10.0, 10.0, 1.0), "#" * 24),
        (Progress(99.0, 99.0, 10.0, 1.0), "#" * 24),
        (Progress(3.0, 3.0, None, 1.0), ""),
    ],
)
def test_bar_shows_transcribed_then_accepted(progress, drawn):
    assert bar(progress, "#-.") == drawn


def test_figures_say_seconds_and_speed():
    assert figures(Progress(9.0, 6.0, 10.0, 2.0)) == "6.0/10.0 s 3.0×"
    assert figures(Progress(None, 6.0, None, 0.0)) == "6.0 s 0.0×"


@pytest.mark.parametrize(("width", "left"), [(5, "abcde"), (4, "…cde"), (1, "…"), (0, "")])
def test_text_is_cut_on_its_left(width, left):
    assert clip_left("abcde", width) == left


def test_full_stop_that_may_not_stay_is_not_shown():
    """Guards readers: an engine ends any words with a full stop, also in mid-sentence."""
    assert unfinished(Interim("To be.", "", 0.0, 1.0)) == "To be"
    assert unfinished(Interim("To be. Or not.", "To be.", 0.0, 1.0)) == "To be. Or not"
    assert unfinished(Interim("To be.", "To be.", 0.0, 1.0)) == "To be."
    assert unfinished(Interim("To be?", "", 0.0, 1.0)) == "To be?"


def test_files_are_counted_beside_the_bar():
    terminal = Terminal()
    StatusLine(terminal).files(1, Progress(1.5, 1.25, 4, 10.0), 50.0)
    assert screen(terminal.getvalue()).endswith("1/4 files 50.0 s 5.0×")
