"""The book of leases: never more than slots, each given up once, none renewed for nothing."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scripta_transcriber.leases import Ending, Farewell, Leases, Offer

pytestmark = pytest.mark.unit

BEAT = 1.0


def test_session_is_taken_while_there_is_a_slot() -> None:
    leases = Leases(1, BEAT)
    assert leases.offered(b"a") is Offer.TAKE
    leases.take(b"a")
    assert leases.offered(b"b") is Offer.PUT_BACK
    assert leases.offered(b"a") is Offer.GO_ON
    assert leases.held == (b"a",)


def test_draining_transcriber_takes_nothing() -> None:
    leases = Leases(2, BEAT)
    leases.draining = True
    assert leases.offered(b"a") is Offer.PUT_BACK
    assert leases.beat(0.0) == 0


def test_lease_is_renewed_until_it_is_given_up() -> None:
    leases = Leases(1, BEAT)
    leases.take(b"a")
    assert leases.ended(b"a", Ending.STOPPED) is Farewell.HAND_OFF
    assert leases.held == (b"a",)
    assert leases.free == 0
    leases.give_up(b"a")
    assert leases.held == ()
    assert leases.free == 1


@pytest.mark.parametrize(
    ("ending", "farewell"),
    [
        (Ending.OVER, Farewell.DROP),
        (Ending.FENCED, Farewell.DROP),
        (Ending.GONE, Farewell.DROP),
        (Ending.STOPPED, Farewell.HAND_OFF),
        (Ending.CUT_OFF, Farewell.RELEASE),
        (Ending.FAILED, Farewell.LET_EXPIRE),
    ],
)
def test_what_becomes_of_a_lease(ending: Ending, farewell: Farewell) -> None:
    leases = Leases(1, BEAT)
    leases.take(b"a")
    assert leases.ended(b"a", ending) is farewell


def test_what_a_drain_cuts_off_is_handed_off() -> None:
    leases = Leases(1, BEAT)
    leases.take(b"a")
    leases.draining = True
    assert leases.ended(b"a", Ending.CUT_OFF) is Farewell.HAND_OFF


def test_only_transcriptions_at_work_end_with_their_lease() -> None:
    leases = Leases(4, BEAT)
    for entry_id in (b"held", b"lost", b"leaving", b"gone"):
        leases.take(entry_id)
    asked = leases.held
    leases.ended(b"leaving", Ending.STOPPED)
    leases.ended(b"gone", Ending.OVER)
    leases.give_up(b"gone")
    leases.take(b"new")
    assert leases.renewed(asked, {b"held"}) == [b"lost"]
    assert leases.working == [b"held", b"lost", b"new"]


def test_after_a_late_beat_the_others_get_two_beats() -> None:
    leases = Leases(3, BEAT)
    assert [leases.beat(now) for now in (0.0, 1.0, 2.5)] == [3, 3, 3]
    assert [leases.beat(now) for now in (9.0, 10.0, 11.0, 12.0)] == [0, 0, 3, 3]


def test_broker_that_stands_still_again_starts_the_patience_anew() -> None:
    """Guards against taking all leases of all others at the second stall in a row."""
    leases = Leases(3, BEAT)
    assert [leases.beat(now) for now in (0.0, 9.0, 10.0, 19.0, 20.0, 21.0)] == [3, 0, 0, 0, 0, 3]


@pytest.mark.parametrize("ending", Ending)
def test_transcription_that_is_not_at_work_can_not_end(ending: Ending) -> None:
    leases = Leases(1, BEAT)
    with pytest.raises(RuntimeError):
        leases.ended(b"a", ending)
    leases.take(b"a")
    leases.ended(b"a", ending)
    with pytest.raises(RuntimeError):
        leases.ended(b"a", ending)


def test_lease_can_not_be_taken_twice_or_beyond_the_slots() -> None:
    leases = Leases(1, BEAT)
    leases.take(b"a")
    for entry_id in (b"a", b"b"):
        with pytest.raises(RuntimeError):
            leases.take(entry_id)


def test_lease_that_is_not_held_can_not_be_given_up() -> None:
    with pytest.raises(KeyError):
        Leases(1, BEAT).give_up(b"a")


class OneTranscriber(RuleBasedStateMachine):
    """A transcriber's leases under everything that comes, beside what is plainly so."""

    SLOTS = 3

    def __init__(self) -> None:
        super().__init__()
        self.leases = Leases(self.SLOTS, BEAT)
        self.working: set[bytes] = set()
        self.leaving: set[bytes] = set()
        self.now = 0.0

    @rule(number=st.integers(0, 5))
    def offer(self, number: int) -> None:
        entry_id = b"%d" % number
        match self.leases.offered(entry_id):
            case Offer.TAKE:
                assert entry_id not in self.working | self.leaving
                assert not self.leases.draining
                self.leases.take(entry_id)
                self.working.add(entry_id)
            case Offer.GO_ON:
                assert entry_id in self.working | self.leaving
            case Offer.PUT_BACK:
                full = len(self.working | self.leaving) == self.SLOTS
                assert full or self.leases.draining

    @precondition(lambda self: self.working)
    @rule(data=st.data(), ending=st.sampled_from(Ending))
    def end(self, data: st.DataObject, ending: Ending) -> None:
        entry_id = data.draw(st.sampled_from(sorted(self.working)))
        farewell = self.leases.ended(entry_id, ending)
        # Whose session may still need an owner never leaves the line for good.
        if farewell is Farewell.DROP:
            assert ending in (Ending.OVER, Ending.FENCED, Ending.GONE)
        self.working.remove(entry_id)
        self.leaving.add(entry_id)

    @precondition(lambda self: self.leaving)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        entry_id = data.draw(st.sampled_from(sorted(self.leaving)))
        self.leases.give_up(entry_id)
        self.leaving.remove(entry_id)

    @rule(held=st.sets(st.integers(0, 5)))
    def renew(self, held: set[int]) -> None:
        still = {b"%d" % number for number in held}
        lost = self.leases.renewed(self.leases.held, still)
        assert set(lost) == self.working - still

    @rule(seconds=st.floats(0.5, 10.0))
    def beat(self, seconds: float) -> None:
        late = self.now and seconds > 2 * BEAT
        self.now += seconds
        count = self.leases.beat(self.now)
        assert count <= self.leases.free
        assert not (late or self.leases.draining) or count == 0

    @rule()
    def drain(self) -> None:
        self.leases.draining = True

    @invariant()
    def books_are_right(self) -> None:
        assert set(self.leases.held) == self.working | self.leaving
        assert set(self.leases.working) == self.working
        assert self.leases.free == self.SLOTS - len(self.working | self.leaving) >= 0


TestOneTranscriber = OneTranscriber.TestCase
TestOneTranscriber.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
