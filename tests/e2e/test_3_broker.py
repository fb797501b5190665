"""The embedded broker dies with all its data under live sessions."""

from __future__ import annotations

import pytest

from .claims import Disturb, assert_undisturbed
from .release import BROKER, GATEWAY, Release

pytestmark = pytest.mark.e2e


def test_broker_pod_deleted_without_persistence(disturb: Disturb, release: Release) -> None:
    (victim,) = release.pods(BROKER)
    gateways = {pod.uid for pod in release.pods(GATEWAY)}
    assert not [v for v in victim.manifest["spec"]["volumes"] if "persistentVolumeClaim" in v]

    def delete() -> None:
        release.delete_pod(victim)
        release.wait_settled(BROKER)

    assert_undisturbed(disturb(delete))
    (successor,) = release.pods(BROKER)
    assert successor.uid != victim.uid
    # A liveness that hangs on the broker would have cost the connections.
    assert {pod.uid for pod in release.pods(GATEWAY)} == gateways
