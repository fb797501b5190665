"""Compares what a session heard with what it should have: exactly, final by final."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from .sessions import Final, Heard, Plan

_SAMPLE_RATE = 16_000
_TIME_DIGITS = 3
_CODEC_SECONDS = 0.2
_MOCK_TEXT = re.compile(r"Transcribed: .* \(size: (\d+) bytes\)")
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Expected:
    """A session's finals, and when each is due on the stream's clock.

    Attributes:
        finals: As ``comparable`` returns them.
        due: Seconds; empty where only the finals count.
    """

    finals: tuple[Final, ...]
    due: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a session differs from what was expected.

    Attributes:
        lost: Words that did not come.
        doubled: Words that came and were not expected.
        gap: Longest time from when a final was due to when it came, in seconds.
        differences: Everything that is not as it should be, in words.
        usage_off: Seconds by which its usage differs from its accepted audio.
    """

    lost: int = 0
    doubled: int = 0
    gap: float = 0.0
    differences: tuple[str, ...] = ()
    usage_off: float = 0.0


def comparable(final: Final) -> Final:
    """Returns a final without what differs from run to run by design.

    That is the client's number and, with the mock engine, the time in its text.
    """
    text = _MOCK_TEXT.sub(r"\1", final["text"])
    return {**{k: v for k, v in final.items() if k != "client_id"}, "text": text}


def expectation(heard: Heard) -> Expected:
    """Returns what an undisturbed session heard, as the measure for others."""
    return Expected(tuple(comparable(final) for final in heard.finals), tuple(heard.arrivals))


def compare(plan: Plan, expected: Expected, heard: Heard) -> Verdict:
    """Returns how a session differs from what was expected."""
    finals = [comparable(final) for final in heard.finals]
    verdict = Verdict(
        gap=longest_gap(expected.due, heard.arrivals),
        differences=(*heard.troubles, *_unaccepted(plan, heard)),
    )
    if finals == list(expected.finals):
        return verdict
    lost, doubled = _count_words(expected.finals, finals)
    differences = (*verdict.differences, *_differences(expected.finals, finals))
    return replace(verdict, lost=lost, doubled=doubled, differences=differences)


def longest_gap(due: Sequence[float], arrivals: Sequence[float]) -> float:
    """Returns the longest time from when a final was due to when it came.

    Finals go by their place; one that never came makes it infinite.
    """
    if len(arrivals) < len(due):
        return NEVER
    return max((max(0.0, came - at) for at, came in zip(due, arrivals, strict=False)), default=0.0)


def _unaccepted(plan: Plan, heard: Heard) -> list[str]:
    """Returns what is wrong with the acknowledgements and the length of the stream."""
    sizes = [len(message) for message in plan.audio]
    problems = []
    if heard.acks != sizes:
        problems.append(f"{len(heard.acks)} acknowledgements for {len(sizes)} messages")
    seconds = round(sum(sizes) / 2 / _SAMPLE_RATE, _TIME_DIGITS)
    # What comes out of a container differs by the codec's own delay.
    near = plan.container and abs((heard.duration or 0) - plan.seconds) < _CODEC_SECONDS
    if heard.duration is not None and heard.duration != seconds and not near:
        problems.append(f"{heard.duration} s taken of {seconds} s")
    return problems


def _count_words(expected: Sequence[Final], got: Sequence[Final]) -> tuple[int, int]:
    """Returns the words that are missing and those that are too many, by a diff."""
    before, after = _words(expected), _words(got)
    lost = doubled = 0
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            lost += i2 - i1
            doubled += j2 - j1
    return lost, doubled


def _words(finals: Sequence[Final]) -> list[str]:
    return [word for final in finals for word in final["text"].split()]


def _differences(expected: Sequence[Final], got: Sequence[Final]) -> list[str]:
    found = []
    indexes = [final["index"] for final in got]
    if indexes != list(range(1, len(got) + 1)):
        found.append(f"indexes {indexes}")
    if len(got) != len(expected):
        found.append(f"{len(got)} finals instead of {len(expected)}")
    for before, after in zip(expected, got, strict=False):
        if before != after:
            found.append(f"{_brief(before)} became {_brief(after)}")
            break
    return found


def _brief(final: Final) -> str:
    return f"#{final['index']} {final['start']}-{final['end']} {final['reason']} {final['text']!r}"
