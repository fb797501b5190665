"""The HPA adds transcribers under load and takes them away after it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from .claims import Disturb, assert_undisturbed
from .commands import NotInTime, until
from .figures import Figures
from .live import Reference
from .release import TRANSCRIBER, Release
from .settings import E2ESettings
from .values import autoscaled_values

pytestmark = pytest.mark.e2e

METRICS_API = "v1beta1.metrics.k8s.io"
UP_SECONDS = 180.0
DOWN_SECONDS = 300.0


@pytest.fixture
def autoscaled(release: Release, reference: Reference, settings: E2ESettings) -> Iterator[Release]:
    """The release with an HPA on its transcribers; without it again afterwards."""
    if not serves_metrics(release):
        pytest.skip(f"the cluster has no metrics-server (no APIService {METRICS_API} available)")
    try:
        until(lambda: measures(release), settings.limit(120.0), "usage of the transcriber's pod")
    except NotInTime:
        pytest.skip("the cluster's metrics-server does not measure the transcriber's pod")
    release.upgrade(autoscaled_values())
    release.wait_settled()
    yield release
    release.calm()


def test_hpa_scales_up_under_load_and_down_after_it(
    autoscaled: Release, disturb: Disturb, settings: E2ESettings, figures: Figures
) -> None:
    def wait_for(count: int, seconds: float) -> float:
        began = time.monotonic()
        until(
            lambda: len(autoscaled.settled(TRANSCRIBER) or ()) == count,
            settings.limit(seconds),
            f"{count} transcribers",
        )
        return time.monotonic() - began

    wait_for(1, DOWN_SECONDS)

    def load() -> None:
        figures.note("HPA up under load", f"{wait_for(2, UP_SECONDS):.0f} s")

    outcome = disturb(load, interims="all")
    assert_undisturbed(outcome)
    figures.note("HPA down after load", f"{wait_for(1, DOWN_SECONDS):.0f} s")


def serves_metrics(release: Release) -> bool:
    service = release.kubectl.find("apiservice", METRICS_API)
    conditions = (service or {}).get("status", {}).get("conditions", ())
    return any(each["type"] == "Available" and each["status"] == "True" for each in conditions)


def measures(release: Release) -> bool:
    """Whether the metrics API knows what the transcriber's pod uses."""
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{release.kubectl.namespace}/pods"
    measured = json.loads(release.kubectl.run("get", "--raw", path))
    names = {each["metadata"]["name"] for each in measured["items"]}
    return {pod.name for pod in release.pods(TRANSCRIBER)} <= names
