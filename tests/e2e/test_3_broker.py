"""The embedded broker: closed without its password, and dead with all its data under sessions."""

from __future__ import annotations

import pytest

from .claims import Disturb, assert_undisturbed
from .release import BROKER, CONTAINERS, GATEWAY, Release

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


def test_broker_is_closed_without_its_password(release: Release) -> None:
    (pod,) = release.pods(BROKER)
    into = ("exec", pod.name, "-c", CONTAINERS[BROKER], "--")
    assert release.kubectl.run(*into, "valkey-cli", "ping").strip() == "PONG"
    stranger = ("env", "-u", "VALKEYCLI_AUTH", "-u", "REDISCLI_AUTH", "valkey-cli", "ping")
    assert "NOAUTH" in release.kubectl.run(*into, *stranger)
    assert "requirepass" not in release.kubectl.run(*into, "cat", "/proc/1/cmdline")
