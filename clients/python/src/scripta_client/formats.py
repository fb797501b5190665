"""The forms in which a transcript is written: text, JSON lines, SubRip and WebVTT.

Each turns one final into the text to write for it, so that a transcript can be written while
it is being spoken.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum

from scripta_client.captions import Captioner
from scripta_client.events import Final


class Format(StrEnum):
    """A form of transcript."""

    TEXT = "text"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"


@dataclass(frozen=True, slots=True)
class Transcript:
    """How a transcript begins, and how each final is written; both end their lines."""

    head: str
    write: Callable[[Final], str]


def transcript(form: Format) -> Transcript:
    """Returns the writer of a form, for one transcript."""
    match form:
        case Format.TEXT:
            return Transcript("", _text)
        case Format.JSON:
            return Transcript("", _json)
        case Format.SRT:
            return Transcript("", _SubRip().write)
        case Format.VTT:
            return Transcript("WEBVTT\n\n", _WebVtt().write)


def printable(text: str) -> str:
    """Returns the text on one line, without characters that a terminal would obey."""
    words = " ".join(text.split())
    return "".join(letter for letter in words if letter.isprintable())


def _text(final: Final) -> str:
    line = printable(final.text)
    return f"{line}\n" if line else ""


def _json(final: Final) -> str:
    return json.dumps(asdict(final), ensure_ascii=False) + "\n"


class _SubRip:
    """SubRip numbers its captions. It knows no escapes, so what would end a cue is replaced."""

    def __init__(self) -> None:
        self._captioner = Captioner()
        self._number = 0

    def write(self, final: Final) -> str:
        cues = []
        for caption in self._captioner.captions(final):
            self._number += 1
            times = f"{_clock(caption.start, ',')} --> {_clock(caption.end, ',')}"
            text = caption.text.replace("-->", "→")
            cues.append(f"{self._number}\n{times}\n{text}\n\n")
        return "".join(cues)


class _WebVtt:
    """WebVTT escapes as HTML does."""

    def __init__(self) -> None:
        self._captioner = Captioner()

    def write(self, final: Final) -> str:
        cues = []
        for caption in self._captioner.captions(final):
            times = f"{_clock(caption.start, '.')} --> {_clock(caption.end, '.')}"
            text = caption.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            cues.append(f"{times}\n{text}\n\n")
        return "".join(cues)


def _clock(milliseconds: int, point: str) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{thousandths:03}"
