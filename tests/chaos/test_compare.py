"""The suite's own measure: a comparison that sees nothing would prove nothing."""

from __future__ import annotations

import pytest

from .compare import Expected, compare
from .sessions import Final, Heard, Plan

pytestmark = pytest.mark.unit


def final(index: int, text: str) -> Final:
    return {"index": index, "text": text, "start": 0.0, "end": 1.0, "reason": "endpoint"}


def heard(*finals: Final) -> Heard:
    return Heard(finals=list(finals), arrivals=[1.0] * len(finals))


NO_AUDIO = Plan("", (), 0.1)


@pytest.mark.parametrize(
    ("got", "lost", "doubled"),
    [
        ([final(1, "a b"), final(2, "c")], 0, 0),
        ([final(1, "a b")], 1, 0),
        ([final(2, "c")], 2, 0),
        ([final(1, "a b"), final(1, "a b"), final(2, "c")], 0, 2),
        ([final(1, "a b"), final(2, "c"), final(3, "c")], 0, 1),
        ([final(1, "a x"), final(2, "c")], 1, 1),
        ([final(1, "a"), final(2, "b c")], 0, 0),
        ([final(2, "c"), final(1, "a b")], 1, 1),
    ],
)
def test_comparison_counts_words_and_sees_every_other_difference(
    got: list[Final], lost: int, doubled: int
) -> None:
    expected = Expected((final(1, "a b"), final(2, "c")))
    verdict = compare(NO_AUDIO, expected, heard(*got))
    assert (verdict.lost, verdict.doubled) == (lost, doubled)
    assert bool(verdict.differences) == (got != list(expected.finals))


def test_gap_is_the_longest_delay_behind_the_undisturbed_run() -> None:
    expected = Expected((final(1, "a"), final(2, "b")), (1.5, 3.0))
    late = Heard(finals=[final(1, "a"), final(2, "b")], arrivals=[1.4, 5.0])
    assert compare(NO_AUDIO, expected, late).gap == 2.0
    missing = Heard(finals=[final(1, "a")], arrivals=[1.4])
    assert compare(NO_AUDIO, expected, missing).gap == float("inf")


def test_message_without_acknowledgement_is_a_difference() -> None:
    plan = Plan("", (b"\0\0", b"\0\0"), 0.1)
    lacking = Heard(acks=[2], duration=0.0)
    assert compare(plan, Expected(()), lacking).differences
