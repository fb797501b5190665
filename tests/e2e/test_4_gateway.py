"""Gateways are replaced under live sessions: 1012 for all, and those that can come back do."""

from __future__ import annotations

from contextlib import closing

import pytest

from .claims import Disturb, assert_resumed
from .inside.orders import Orders
from .live import LONGEST_SECONDS, OPEN_SECONDS, Watch
from .pods import PodSite
from .release import GATEWAY, Release
from .settings import E2ESettings

pytestmark = pytest.mark.e2e

PLAIN = 2


def test_rollout_closes_with_1012_and_the_client_resumes(
    disturb: Disturb, release: Release, site: PodSite, settings: E2ESettings
) -> None:
    before = {pod.uid for pod in release.pods(GATEWAY)}
    orders = Orders(PLAIN, kind="plain", seconds=settings.limit(LONGEST_SECONDS))
    with closing(site.start(orders)) as speakers:
        plain = Watch(speakers, orders, settings.limit)
        plain.wait_finals([0] * PLAIN, OPEN_SECONDS, "each plain session has a final")

        def restart() -> None:
            release.restart(GATEWAY)
            release.wait_settled(GATEWAY)

        outcome = disturb(restart, kind="returning")
        cut_off = plain.wait_over(60.0)

    assert before.isdisjoint(pod.uid for pod in release.pods(GATEWAY))
    assert_resumed(outcome, settings.sessions)
    for account in cut_off:
        assert set(account.heard.closes) == {"closed with 1012"}, account.heard.closes
