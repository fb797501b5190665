"""Live sessions while something happens to the release, and the judgement of what they heard.

Where the client runs is a ``Site``'s business: in a pod on a cluster, as a local process in the
suite's own test. All that counts and judges is the same for both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from chaos.compare import Expected, Verdict, comparable, compare
from chaos.sessions import Final, Plan

from .commands import NotInTime, until
from .inside.orders import Orders
from .inside.reports import Account, read
from .inside.takes import Takes
from .speech import Voice

OPEN_SECONDS = 120.0
"""Until the client runs and every session has its first final."""
GO_ON_SECONDS = 60.0
"""Until every session has another final after what has happened."""
REFERENCE_SPEED = 3.0

LONGEST_SECONDS = 240.0
"""Length of a live session at most, before the time factor."""

Action = Callable[[], None]


class ClientFailed(Exception):
    """The client itself, not a session of it, came to a bad end."""


class Speakers(Protocol):
    """A running client."""

    def lines(self) -> list[str]:
        """Returns all that it has printed so far.

        Raises:
            ClientFailed: It has ended badly, or can not start.
        """

    def stop(self) -> None:
        """Tells all sessions to end with their round."""

    def close(self) -> None:
        """Ends the client and removes what it was."""


class Site(Protocol):
    """Where clients run."""

    def start(self, orders: Orders) -> Speakers:
        """Starts a client that speaks to the release."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What each voice makes when nothing happens.

    Attributes:
        voices: The voices, in the order in which sessions take them.
        finals: All finals of the longest run of each.
    """

    voices: Sequence[Voice]
    finals: Mapping[str, tuple[Final, ...]]

    def expected(self, session: int, rounds: int) -> Expected:
        """Returns what a session is expected to hear in so many rounds of its voice.

        A final is due at the end of its speech, so that a gap is the delay of a final.
        """
        voice = self.voices[session % len(self.voices)]
        end = voice.seconds * rounds
        finals = tuple(each for each in self.finals[voice.name] if each["end"] <= end)
        return Expected(finals, tuple(final["end"] for final in finals))

    def plan(self, session: int, rounds: int, pace: float) -> Plan:
        """Returns what a session has said in so many rounds."""
        voice = self.voices[session % len(self.voices)]
        return Plan(voice.name, tuple(Takes(voice.pcm, rounds, lambda: False)), pace)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What sessions heard while something happened.

    Attributes:
        verdicts: One a session.
        closes: How connections closed that did before the end.
        seconds: How long it took to happen.
        finals: How many finals were compared.
        late: Longest that a client sent a chunk behind its time, in seconds.
    """

    verdicts: tuple[Verdict, ...]
    closes: tuple[str, ...]
    seconds: float
    finals: int
    late: float

    @property
    def lost(self) -> int:
        """Words that did not come."""
        return sum(verdict.lost for verdict in self.verdicts)

    @property
    def doubled(self) -> int:
        """Words that came and were not expected."""
        return sum(verdict.doubled for verdict in self.verdicts)

    @property
    def gap(self) -> float:
        """Longest time from the end of speech to its final, in seconds."""
        return max(verdict.gap for verdict in self.verdicts)

    @property
    def differences(self) -> list[str]:
        """Everything that is not as in the undisturbed run."""
        return [
            f"session {number}: {difference}"
            for number, verdict in enumerate(self.verdicts)
            for difference in verdict.differences
        ]

    def figures(self) -> str:
        """Returns the outcome in a line."""
        return (
            f"{self.seconds:.1f} s; {len(self.verdicts)} sessions, {self.finals} finals, "
            f"{self.lost} words lost, {self.doubled} doubled, {len(self.closes)} connections "
            f"closed, longest delay of a final {self.gap:.1f} s (client late {self.late:.1f} s)"
        )


class Watch:
    """What is known of the sessions of a running client.

    Args:
        speakers: The client.
        orders: What it does.
        limit: Makes time limits fit for the cluster.
    """

    def __init__(self, speakers: Speakers, orders: Orders, limit: Callable[[float], float]) -> None:
        self._speakers = speakers
        self._orders = orders
        self._limit = limit

    def accounts(self) -> list[Account]:
        """Returns what each session has heard so far."""
        return read(self._speakers.lines(), self._orders.sessions)

    def wait_finals(self, more_than: Sequence[int], seconds: float, what: str) -> None:
        """Waits until each session has more finals than that; not for one that is over."""

        def each_has() -> bool:
            return all(
                account.over or len(account.heard.finals) > least
                for account, least in zip(self.accounts(), more_than, strict=True)
            )

        try:
            until(each_has, self._limit(seconds), what)
        except NotInTime as error:
            raise NotInTime(f"{error}; {self._state()}") from None

    def wait_over(self, seconds: float) -> list[Account]:
        """Waits until all sessions are over; returns what they heard."""

        def all_over() -> list[Account] | None:
            accounts = self.accounts()
            return accounts if all(account.over for account in accounts) else None

        try:
            return until(all_over, self._limit(seconds), "all sessions over")
        except NotInTime as error:
            raise NotInTime(f"{error}; {self._state()}") from None

    def _state(self) -> str:
        return "; ".join(
            f"session {number} ({account.heard.sid}): {len(account.heard.finals)} finals"
            f"{', over' * account.over}{''.join(f', {each}' for each in account.heard.troubles)}"
            for number, account in enumerate(self.accounts())
        )


def record_reference(
    site: Site, voices: Sequence[Voice], seconds: float, limit: Callable[[float], float]
) -> Reference:
    """Returns what an undisturbed run of each voice makes.

    Args:
        site: Where to run it.
        voices: What is said.
        seconds: Length at least.
        limit: Makes time limits fit for the cluster.

    Raises:
        AssertionError: The run was not what a measure must be.
    """
    orders = Orders(len(voices), seconds=seconds, speed=REFERENCE_SPEED, interims="none")
    with closing(site.start(orders)) as speakers:
        accounts = Watch(speakers, orders, limit).wait_over(
            OPEN_SECONDS + 2 * seconds / REFERENCE_SPEED
        )
    finals = {}
    for number, (voice, account) in enumerate(zip(voices, accounts, strict=True)):
        finals[voice.name] = tuple(comparable(final) for final in account.heard.finals)
        reference = Reference(voices, finals)
        rounds = orders.rounds(voice.seconds)
        plan, expected = reference.plan(number, rounds, 0.0), reference.expected(number, rounds)
        troubles = compare(plan, expected, account.heard).differences
        assert not troubles, f"{voice.name} is not heard well undisturbed: {troubles}"
        assert expected.finals, f"nothing is heard of {voice.name}"
        _check_rounds(voice, rounds, expected.finals)
    return Reference(voices, finals)


def speak_through(
    site: Site,
    reference: Reference,
    action: Action,
    orders: Orders,
    limit: Callable[[float], float] = float,
) -> Outcome:
    """Lets sessions speak, does something to the release in their midst, and judges each.

    All sessions are live when it begins, and go on after it has ended.
    """
    with closing(site.start(orders)) as speakers:
        watch = Watch(speakers, orders, limit)
        none = [0] * orders.sessions
        watch.wait_finals(none, OPEN_SECONDS, "each session has a final")
        began = time.monotonic()
        action()
        seconds = time.monotonic() - began
        reached = [len(account.heard.finals) for account in watch.accounts()]
        watch.wait_finals(reached, GO_ON_SECONDS, "each session goes on afterwards")
        before = watch.accounts()
        speakers.stop()
        accounts = watch.wait_over(_longest(reference) + orders.patience)
    ended = [
        number
        for number, account in enumerate(before)
        if account.over and account.heard.duration is not None
    ]
    assert not ended, f"too slow: sessions {ended} had said all before the end; see TIME_FACTOR"
    return judge(reference, orders, accounts, seconds)


def judge(
    reference: Reference, orders: Orders, accounts: Sequence[Account], seconds: float
) -> Outcome:
    """Compares what sessions heard with the reference, to the letter."""
    verdicts = []
    for number, account in enumerate(accounts):
        plan = reference.plan(number, account.rounds, orders.pace)
        expected = reference.expected(number, account.rounds)
        verdicts.append(compare(plan, expected, account.heard))
    return Outcome(
        tuple(verdicts),
        tuple(close for account in accounts for close in account.heard.closes),
        seconds,
        sum(len(account.heard.finals) for account in accounts),
        max(account.heard.late for account in accounts),
    )


def _longest(reference: Reference) -> float:
    return max(voice.seconds for voice in reference.voices)


def _check_rounds(voice: Voice, rounds: int, finals: Sequence[Final]) -> None:
    """Checks that a session may end with any round: no final reaches into the next one."""
    for final in finals:
        for end in (voice.seconds * number for number in range(1, rounds)):
            whole = final["end"] <= end or final["start"] >= end
            assert whole, f"{voice.name}: a final reaches over the end of a round at {end:g} s"
