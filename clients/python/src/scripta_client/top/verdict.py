"""Says in words how the system is: what an operator would conclude from a view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from scripta_client.top.figures import counted
from scripta_client.top.reading import FINAL_TARGET_SECONDS
from scripta_client.top.view import Finding, Fleet, Health, Pool, View

FINALS_WITHIN_TARGET: Final = 0.99
"""The objective: this share of finals comes within the target."""

LAG_SECONDS: Final = 20.0
"""A segment of speech may be 15 s long; audio that waits for longer than this is late."""

FLEET_AGE_SECONDS: Final = 10.0
"""When gateways cease to vouch for what they know of the fleet."""

MEMORY_SHARE: Final = 0.8
"""Of its limit; from here on the broker's memory is worth a look."""

_CLIENTS_OWN: Final = frozenset({"bad_request", "unknown_model", "unsupported_language"})
"""Reasons to refuse a client that are not the system's trouble."""

_BAD_ORDER: Final = (Health.CRITICAL, Health.WARNING, Health.HEALTHY)


def judge(view: View) -> tuple[Finding, ...]:
    """Returns what is wrong, the worst first, and what is news; nothing if all is well."""
    found = [
        *_processes(view),
        *_capacity(view.fleet),
        *_service(view),
        *_broker(view),
        *_news(view),
    ]
    return tuple(sorted(found, key=lambda finding: _BAD_ORDER.index(finding.health)))


def health(findings: tuple[Finding, ...]) -> Health:
    """Returns the worst of them."""
    return findings[0].health if findings else Health.HEALTHY


def count(number: float, thing: str) -> str:
    """Returns ``1 session``, ``2 sessions``."""
    return f"{number:.0f} {thing}{'' if round(number) == 1 else 's'}"


def _processes(view: View) -> Iterator[Finding]:
    for name, error in view.silent.items():
        yield Finding(Health.CRITICAL, f"{name} does not answer: {error}")
    for kind, processes in (("gateway", view.gateways), ("transcriber", view.transcribers)):
        for process in processes:
            if process.error:
                yield Finding(
                    Health.CRITICAL, f"{kind} {process.name} does not answer: {process.error}"
                )


def _capacity(fleet: Fleet) -> Iterator[Finding]:
    if fleet.age_seconds is not None and fleet.age_seconds > FLEET_AGE_SECONDS:
        yield Finding(
            Health.CRITICAL,
            f"gateways have not seen the fleet for {fleet.age_seconds:.0f} s: is the broker up?",
        )
    nobody = not any(pool.transcribers for pool in fleet.pools)
    for pool in fleet.pools:
        # A pool that nobody asks for may well be empty, such as one that is scaled to zero.
        if pool.transcribers == 0 and (pool.demand or nobody):
            waiting = f": {count(pool.waiting, 'session')} waiting" if pool.waiting else ""
            yield Finding(Health.CRITICAL, f"no transcriber in pool {pool.name}{waiting}")
        elif pool.transcribers and pool.slots == 0:
            yield Finding(
                Health.CRITICAL, f"no slots in pool {pool.name}: its transcribers load or drain"
            )
        elif pool.waiting:
            yield Finding(Health.WARNING, _waiting(pool, pool.waiting))


def _waiting(pool: Pool, waiting: float) -> str:
    verb = "waits" if waiting == 1 else "wait"
    text = f"{count(waiting, 'session')} {verb} in pool {pool.name}"
    if pool.leased is not None and pool.slots is not None:
        text += f", {pool.leased:.0f} of {pool.slots:.0f} slots are taken"
    return text


def _service(view: View) -> Iterator[Finding]:
    traffic = view.traffic
    if traffic.failed_in_window:
        yield Finding(Health.CRITICAL, f"{count(traffic.failed_in_window, 'session')} failed")
    if traffic.refusals_in_window:
        ours = set(traffic.refusals_in_window) - _CLIENTS_OWN
        health = Health.WARNING if ours else Health.HEALTHY
        yield Finding(health, f"clients refused: {counted(traffic.refusals_in_window)}")
    if traffic.lag_max_seconds is not None and traffic.lag_max_seconds > LAG_SECONDS:
        yield Finding(
            Health.WARNING, f"audio waits for its words: {traffic.lag_max_seconds:.0f} s of it"
        )
    final = view.final
    if final.within_target is not None and final.within_target < FINALS_WITHIN_TARGET:
        yield Finding(
            Health.WARNING,
            f"finals are late: {final.within_target:.1%} of {final.count:.0f} within "
            f"{FINAL_TARGET_SECONDS:g} s, {FINALS_WITHIN_TARGET:.0%} are wanted",
        )


def _broker(view: View) -> Iterator[Finding]:
    broker = view.broker
    if broker.memory_bytes is not None and broker.memory_limit_bytes:
        share = broker.memory_bytes / broker.memory_limit_bytes
        if share > MEMORY_SHARE:
            yield Finding(Health.WARNING, f"the broker's memory is {share:.0%} full")
    if broker.errors_in_window:
        kinds = ", ".join(
            f"{number:.0f} {kind}" for kind, number in broker.errors_in_window.items()
        )
        yield Finding(Health.WARNING, f"errors of the broker: {kinds}")


def _news(view: View) -> Iterator[Finding]:
    takeovers = sum(one.takeovers_in_window or 0.0 for one in view.transcribers)
    if takeovers:
        yield Finding(
            Health.HEALTHY, f"{count(takeovers, 'session')} taken over from dead transcribers"
        )
    for gateway in view.gateways:
        if gateway.draining:
            yield Finding(Health.HEALTHY, f"gateway {gateway.name} is draining")
