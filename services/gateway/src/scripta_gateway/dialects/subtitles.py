"""Subtitles of finals, as SRT and WebVTT. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from scripta_common.wire import Final as FinalResult

_LONGEST_SECONDS: Final = 7.0
_LONGEST_TEXT: Final = 84
"""What is read at a glance: two lines, for some seconds."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown at a time."""

    start: float
    end: float
    text: str


def cues(finals: Iterable[FinalResult]) -> Iterator[Cue]:
    """Yields what is shown of finals; a long one is shown in parts if it has words with times."""
    for final in finals:
        words = list(final.words)
        if not words:
            if final.text:
                yield Cue(final.start, final.end, final.text)
            continue
        first = 0
        for at in range(1, len(words) + 1):
            text = " ".join(word.text for word in words[first : at + 1])
            full = at < len(words) and (
                len(text) > _LONGEST_TEXT or words[at].end - words[first].start > _LONGEST_SECONDS
            )
            if full or at == len(words):
                shown = " ".join(word.text for word in words[first:at])
                yield Cue(words[first].start, words[at - 1].end, shown)
                first = at


def srt(finals: Iterable[FinalResult]) -> str:
    """Returns finals as SRT."""
    return "".join(
        f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{_line(cue.text)}\n\n"
        for number, cue in enumerate(cues(finals), 1)
    )


def vtt(finals: Iterable[FinalResult]) -> str:
    """Returns finals as WebVTT."""
    shown = (
        f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{_escaped(_line(cue.text))}\n\n"
        for cue in cues(finals)
    )
    return "WEBVTT\n\n" + "".join(shown)


def _time(seconds: float, mark: str) -> str:
    milliseconds = round(1000 * max(0.0, seconds))
    whole, rest = divmod(milliseconds, 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{mark}{rest:03}"


def _line(text: str) -> str:
    return " ".join(text.split()).replace("-->", "->")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
