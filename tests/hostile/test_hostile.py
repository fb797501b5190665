"""The attack suite in short: a few attacks of each family, with small numbers.

It does not judge times, because the machine may be busy with other tests; ``make hostile`` does.
"""

from __future__ import annotations

import math

import pytest

from . import attacks  # noqa: F401 - they register themselves
from .attack import ATTACKS, Answer
from .judge import violations
from .neighbours import Lateness
from .rounds import Outcome, Pace, play
from .table import table
from .told import Told

pytestmark = [pytest.mark.system, pytest.mark.slow]

SHORT = (
    "endless_head",
    "big_cookie",
    "upgrade_with_a_body",
    "close_with_garbage",
    "invalid_utf_8",
    "long_text",
    "end_flood",
    "surround",
    "many_elements",
    "hours_in_a_message",
    "drop_with_events",
    "from_beyond",
    "drain_with_hung_handshakes",
)
PACE = Pace(seconds=2.0, scale=0.1, calm=0.5)
LONGER = Pace(seconds=6.0, scale=0.1, calm=0.5)


@pytest.mark.parametrize("key", SHORT)
async def test_attack_closes_no_neighbour_and_is_told_why(key: str) -> None:
    """Guards a client that ends the gateway, its neighbours' connections, or gets no answer."""
    outcome = await play(ATTACKS[key], PACE)
    assert violations(outcome, timing=False) == []


async def test_decoders_that_are_killed_end_their_own_streams_only() -> None:
    """Guards a crash of one stream's decoder that others notice."""
    outcome = await play(ATTACKS["decoder_sigkill"], LONGER)
    assert violations(outcome, timing=False) == []
    assert not outcome.told.notes, "each compressed stream has a process of its own"


def outcome_of(key: str, **changes: object) -> Outcome:
    """Returns an outcome in which all was well, with some of it changed."""
    good: dict[str, object] = {
        "attack": ATTACKS[key],
        "calm": Lateness([0.01] * 50),
        "attacked": Lateness([0.02] * 50),
        "worst": {"raw": 0.02},
        "closed": [],
        "refused": [],
        "livez": 0.01,
        "newcomer": 0.1,
        "turned_away": [],
        "ends": [],
        "over_limit": False,
        "peak": 100 << 20,
        "processes": 2,
        "errors": [],
        "told": Told.of_json({"reasons": {"no": 1}, "ends": {}, "notes": {}, "served": 0}),
        "own_delay": 0.0,
    }
    return Outcome(**{**good, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"closed": ["raw: 1006"]}, "neighbours closed"),
        ({"ends": ["was killed by SIGSEGV"]}, "SIGSEGV"),
        ({"over_limit": True}, "memory"),
        ({"errors": ["connection failed"]}, "connection failed"),
        ({"told": Told()}, "not told why"),
        ({"turned_away": ["503"]}, "newcomers"),
        ({"attacked": Lateness([0.01] * 90 + [0.3] * 10)}, "p99"),
        ({"attacked": Lateness([0.01] * 999 + [2.0]), "worst": {"MP3": 2.0}}, "(MP3)"),
        ({"livez": math.inf}, "/livez"),
        ({"newcomer": 3.0}, "newcomer"),
    ],
)
def test_what_is_wrong_is_found_and_named(changes: dict[str, object], words: str) -> None:
    """Guards a suite that finds everything in order because it does not look."""
    found = violations(outcome_of("no_json", **changes))
    assert len(found) == 1
    assert words in found[0]
    assert words in table([outcome_of("no_json", **changes)])


def test_stopping_gateway_has_to_stop_in_order_and_to_say_1012() -> None:
    stopped = outcome_of("drain_in_a_flood", ends=["exited with code 0"], closed=["raw: 1012"])
    assert violations(stopped) == []
    broken = outcome_of("drain_in_a_flood", ends=["exited with code 1"], closed=["raw: 1006"])
    assert len(violations(broken)) == 2


def test_every_attack_says_what_it_does() -> None:
    assert len(ATTACKS) > 100
    assert {attack.answer for attack in ATTACKS.values()} == set(Answer)
    assert all(attack.what[0].isupper() for attack in ATTACKS.values())
