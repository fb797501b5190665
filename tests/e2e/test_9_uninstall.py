"""The end: nothing died by itself, and nothing stays behind."""

from __future__ import annotations

import pytest

from .commands import NotInTime, until
from .manifests import remove_own_objects
from .release import COMPONENTS, Release
from .settings import E2ESettings

pytestmark = pytest.mark.e2e

GONE_SECONDS = 120.0
OF_KUBERNETES = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
"""What every namespace gets, perhaps a little after it was made."""


def test_no_container_of_the_last_pods_was_started_again(release: Release) -> None:
    """Guards probes and memory limits that are too tight for sessions under disturbances."""
    restarts = {pod.name: pod.restarts for part in COMPONENTS for pod in release.pods(part)}
    assert not any(restarts.values()), restarts


def test_uninstall_leaves_nothing_behind(
    release: Release, untouched: frozenset[str], settings: E2ESettings
) -> None:
    """Looks through every kind of object that the cluster has."""
    if settings.keep:
        pytest.skip("the release is to be kept")
    kubectl = release.kubectl
    kinds = kubectl.kinds()
    assert release.objects() <= kubectl.names(kinds)
    release.helm.uninstall()
    remove_own_objects(kubectl)

    def left() -> frozenset[str]:
        return kubectl.names(kinds) - untouched - OF_KUBERNETES

    try:
        until(lambda: not left(), settings.limit(GONE_SECONDS), "an empty namespace", every=3.0)
    except NotInTime:
        assert left() == frozenset()
