"""The book of leases: slots are not exceeded, each lease is given up once, none renewed in vain."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scripta_transcriber.leases import Ending, Farewell, Leases, Offer

pytestmark = pytest.mark.unit


def take(leases: Leases, entry_id: bytes, *, upload: bool = False) -> None:
    assert leases.offered(entry_id) is Offer.TAKE
    leases.take(entry_id, upload=upload)


def test_session_is_taken_while_there_is_a_slot() -> None:
    leases = Leases(1)
    take(leases, b"a")
    assert leases.offered(b"b") is Offer.PUT_BACK
    assert leases.offered(b"a") is Offer.GO_ON
    assert leases.held == (b"a",)


def test_upload_lends_its_slot_to_a_live_session() -> None:
    """Guards live sessions against recordings: these kept all slots for minutes."""
    leases = Leases(1)
    take(leases, b"upload", upload=True)
    assert (leases.full, leases.free, leases.uploads) == (True, 1, 1)
    take(leases, b"live")
    assert leases.offered(b"other") is Offer.PUT_BACK
    leases.ended(b"upload", Ending.OVER)
    leases.give_up(b"upload")
    assert (leases.free, leases.uploads, leases.finished) == (0, 0, 0)
    leases.ended(b"live", Ending.OVER)
    assert leases.finished == 1


def test_uploads_lend_no_more_slots_than_there_are() -> None:
    leases = Leases(2)
    for entry_id in (b"a", b"b", b"c", b"d"):
        take(leases, entry_id, upload=True)
    assert leases.offered(b"e") is Offer.PUT_BACK


def test_draining_transcriber_takes_nothing() -> None:
    leases = Leases(2)
    leases.draining = True
    assert leases.offered(b"a") is Offer.PUT_BACK
    assert leases.wanted == 0


def test_lease_is_renewed_until_it_is_given_up() -> None:
    leases = Leases(1)
    take(leases, b"a")
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
    leases = Leases(1)
    take(leases, b"a")
    assert leases.ended(b"a", ending) is farewell


def test_what_a_drain_cuts_off_is_handed_off() -> None:
    leases = Leases(1)
    take(leases, b"a")
    leases.draining = True
    assert leases.ended(b"a", Ending.CUT_OFF) is Farewell.HAND_OFF


def test_only_transcriptions_at_work_end_with_their_lease() -> None:
    leases = Leases(4)
    for entry_id in (b"held", b"lost", b"leaving", b"gone"):
        take(leases, entry_id)
    asked = leases.held
    leases.ended(b"leaving", Ending.STOPPED)
    leases.ended(b"gone", Ending.OVER)
    leases.give_up(b"gone")
    take(leases, b"new")
    assert leases.renewed(asked, {b"held"}) == [b"lost"]
    assert leases.working == [b"held", b"lost", b"new"]


def test_slot_is_kept_while_its_session_is_claimed() -> None:
    """Guards one slot against going to two sessions whose claims are under way."""
    leases = Leases(1)
    assert leases.offered(b"a") is Offer.TAKE
    assert (leases.free, leases.held) == (0, (b"a",))
    assert leases.offered(b"a") is Offer.GO_ON
    assert leases.offered(b"b") is Offer.PUT_BACK
    leases.leave(b"a")
    assert (leases.free, leases.held) == (1, ())
    take(leases, b"b")
    leases.leave(b"b")  # as whoever claims does in any case
    assert leases.held == (b"b",)


@pytest.mark.parametrize("ending", Ending)
def test_transcription_that_is_not_at_work_can_not_end(ending: Ending) -> None:
    leases = Leases(1)
    with pytest.raises(RuntimeError):
        leases.ended(b"a", ending)
    take(leases, b"a")
    leases.ended(b"a", ending)
    with pytest.raises(RuntimeError):
        leases.ended(b"a", ending)


def test_lease_can_not_be_taken_twice_or_without_an_offer() -> None:
    leases = Leases(1)
    take(leases, b"a")
    for entry_id in (b"a", b"b"):
        with pytest.raises(RuntimeError):
            leases.take(entry_id)


def test_lease_that_is_not_held_can_not_be_given_up() -> None:
    with pytest.raises(KeyError):
        Leases(1).give_up(b"a")


class OneTranscriber(RuleBasedStateMachine):
    """A transcriber's leases under everything that comes, beside what is plainly so."""

    SLOTS = 3

    def __init__(self) -> None:
        super().__init__()
        self.leases = Leases(self.SLOTS)
        self.working: set[bytes] = set()
        self.leaving: set[bytes] = set()
        self.placing: set[bytes] = set()
        self.uploads: set[bytes] = set()

    @rule(number=st.integers(0, 9))
    def offer(self, number: int) -> None:
        entry_id = b"%d" % number
        match self.leases.offered(entry_id):
            case Offer.TAKE:
                assert entry_id not in self.known
                assert not self.leases.draining
                self.placing.add(entry_id)
            case Offer.GO_ON:
                assert entry_id in self.known
            case Offer.PUT_BACK:
                assert not self.free or self.leases.draining

    @property
    def known(self) -> set[bytes]:
        return self.working | self.leaving | self.placing

    @property
    def free(self) -> int:
        return min(self.SLOTS + len(self.uploads), 2 * self.SLOTS) - len(self.known)

    @precondition(lambda self: self.placing)
    @rule(data=st.data(), claimed=st.booleans(), upload=st.booleans())
    def place(self, data: st.DataObject, claimed: bool, upload: bool) -> None:
        entry_id = data.draw(st.sampled_from(sorted(self.placing)))
        self.placing.remove(entry_id)
        if claimed:
            self.leases.take(entry_id, upload=upload)
            self.working.add(entry_id)
            if upload:
                self.uploads.add(entry_id)
        self.leases.leave(entry_id)

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
        self.uploads.discard(entry_id)

    @rule(held=st.sets(st.integers(0, 5)))
    def renew(self, held: set[int]) -> None:
        still = {b"%d" % number for number in held}
        lost = self.leases.renewed(self.leases.held, still)
        assert set(lost) == self.working - still

    @rule()
    def want(self) -> None:
        assert self.leases.wanted == (0 if self.leases.draining else max(0, self.leases.free))

    @rule()
    def drain(self) -> None:
        self.leases.draining = True

    @invariant()
    def books_are_right(self) -> None:
        assert set(self.leases.held) == self.known
        assert set(self.leases.working) == self.working
        assert self.leases.free == self.free
        assert self.leases.uploads == len(self.uploads)
        assert len(self.known) <= 2 * self.SLOTS
        assert len(self.known - self.uploads) <= self.SLOTS


TestOneTranscriber = OneTranscriber.TestCase
TestOneTranscriber.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
