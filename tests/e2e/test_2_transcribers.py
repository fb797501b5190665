"""Transcribers come and go under live sessions: no word lost, none doubled, nothing closed."""

from __future__ import annotations

import pytest

from .claims import Disturb, assert_undisturbed
from .commands import until
from .release import TRANSCRIBER, Release
from .settings import E2ESettings

pytestmark = pytest.mark.e2e


def test_scaling_from_one_to_three_and_back(disturb: Disturb, release: Release) -> None:
    """The pod that has all the sessions is the first to go."""
    (oldest,) = release.pods(TRANSCRIBER)

    def scale() -> None:
        release.scale(TRANSCRIBER, 3)
        release.wait_settled(TRANSCRIBER)
        release.sacrifice(oldest)
        release.scale(TRANSCRIBER, 1)
        release.wait_settled(TRANSCRIBER)

    assert_undisturbed(disturb(scale))
    assert oldest.uid not in {pod.uid for pod in release.pods(TRANSCRIBER)}


def test_rollout_restart(disturb: Disturb, release: Release) -> None:
    before = {pod.uid for pod in release.pods(TRANSCRIBER)}

    def restart() -> None:
        release.restart(TRANSCRIBER)
        release.wait_settled(TRANSCRIBER)

    assert_undisturbed(disturb(restart))
    assert before.isdisjoint(pod.uid for pod in release.pods(TRANSCRIBER))


def test_pod_deleted_by_force(disturb: Disturb, release: Release) -> None:
    """For a while nobody transcribes: the only pod is gone before there is another."""
    (victim,) = release.pods(TRANSCRIBER)

    def delete() -> None:
        release.delete_pod(victim, force=True)
        release.wait_settled(TRANSCRIBER)

    assert_undisturbed(disturb(delete))
    assert victim.uid not in {pod.uid for pod in release.pods(TRANSCRIBER)}


def test_demand_is_the_same_at_every_gateway(
    disturb: Disturb, release: Release, settings: E2ESettings
) -> None:
    """Guards autoscaling by demand, which reads whichever gateway it comes upon."""
    count = settings.sessions

    def compare() -> None:
        until(
            lambda: set(release.demand()) == {float(count)},
            settings.limit(60.0),
            f"a demand of {count} sessions at every gateway",
        )

    assert_undisturbed(disturb(compare))
    until(
        lambda: set(release.demand()) == {0.0},
        settings.limit(60.0),
        "no demand at any gateway after the last session",
    )
