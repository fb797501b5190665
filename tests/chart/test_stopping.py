"""A pod that is told to stop has the time that it may take, whatever is set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as search
from hypothesis.strategies import floats, integers

from .rendering import CHART, Pod, default, render

pytestmark = pytest.mark.chart

MARGIN_SECONDS = 5
"""What a process may take after its drain: connections cut off, clients of the broker closed."""


def pause(pod: Pod) -> float:
    (container,) = pod.containers
    command = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
    if command is None:
        return 0
    program, seconds = command
    assert program == "sleep", "a program that every image has"
    return float(seconds)


def drain(pod: Pod) -> float:
    (container,) = pod.containers
    (value,) = [each["value"] for each in container["env"] if each["name"] == "DRAIN_SECONDS"]
    return float(value)


@search(max_examples=80, deadline=None)
@given(before=integers(0, 600), gateway=floats(2.5, 3600), transcriber=floats(2, 3600))
def test_grace_is_longer_than_all_that_comes_before_the_end(
    before: int, gateway: float, transcriber: float
) -> None:
    values = {
        "gateway": {"preStopSeconds": before, "settings": {"drainSeconds": gateway}},
        "pools": {"default": {"settings": {"drainSeconds": transcriber}}},
    }
    release = render(values)
    for component, bound in (("gateway", gateway), ("transcriber", transcriber)):
        pod = release.pod(component)
        grace = pod.spec["terminationGracePeriodSeconds"]
        assert isinstance(grace, int)
        assert drain(pod) == pytest.approx(bound)
        assert grace >= pause(pod) + bound + MARGIN_SECONDS
        assert grace <= pause(pod) + bound + 4 * MARGIN_SECONDS, "a stuck pod is in the way"


def test_gateway_waits_for_load_balancers_and_transcribers_for_nobody() -> None:
    release = render()
    assert pause(release.pod("gateway")) == default("gateway.preStopSeconds") > 0
    assert pause(release.pod("transcriber")) == 0


def test_no_session_can_hold_up_a_rollout() -> None:
    """Guards graces of hours: by default every pod is gone within half a minute."""
    for pod in render().pods():
        if pod.component != "test":
            assert pod.spec["terminationGracePeriodSeconds"] <= 30


def test_gateways_go_one_at_a_time_and_after_their_successor() -> None:
    deployment = render().one("Deployment", "gateway")["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert deployment["minReadySeconds"] > 0


def test_pause_needs_a_program_that_the_image_has() -> None:
    """The gateway's base image is Debian's, with coreutils; a distroless one would not do."""
    dockerfile = CHART.parents[1] / "services/gateway/Dockerfile"
    assert "slim" in dockerfile.read_text("utf-8")
