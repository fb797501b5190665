"""One autoscaler a Deployment, and it asks for the pods that the sessions need."""

from __future__ import annotations

from math import ceil, floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as search
from hypothesis.strategies import floats, integers, sampled_from

from .autoscaling import TOLERANCE, desired
from .cases import cases
from .rendering import Object, Release, Values, component_of, default, merged, render

pytestmark = pytest.mark.chart

each_case = pytest.mark.parametrize("values", cases().values(), ids=cases())

PROMETHEUS = {"keda": {"source": "prometheus", "prometheusAddress": "http://p"}}


def scalers(release: Release, component: str) -> list[Object]:
    return [
        each
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for each in release.all(kind)
        if component_of(each) == component
    ]


def scaler(component: str, values: Values) -> Object:
    (found,) = scalers(render(values), component)
    return found


def transcribers(mode: str, **more: Any) -> dict[str, Any]:
    pool = {"autoscaling": {"mode": mode, "maxReplicas": 1000}}
    return merged({"transcriber": pool}, {"transcriber": more})


@each_case
def test_either_the_chart_or_one_autoscaler_sets_the_number_of_pods(values: Values) -> None:
    """Guards upgrades that would set back what an autoscaler has decided."""
    release = render(values)
    for each in release.all("Deployment"):
        asked = ["replicas" in each["spec"], *scalers(release, component_of(each))]
        assert len([one for one in asked if one]) == 1


@each_case
def test_every_autoscaler_says_how_fast_it_acts(values: Values) -> None:
    release = render(values)
    for each in release.all("HorizontalPodAutoscaler"):
        assert each["spec"]["behavior"].keys() == {"scaleUp", "scaleDown"}
    for each in release.all("ScaledObject"):
        behavior = each["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        assert behavior.keys() == {"scaleUp", "scaleDown"}


def test_growth_is_quick_and_shrinking_is_slow() -> None:
    for part in ("gateway", "transcriber"):
        behavior = default(f"{part}.autoscaling.behavior")
        up, down = behavior["scaleUp"], behavior["scaleDown"]
        assert up["stabilizationWindowSeconds"] == 0
        assert down["stabilizationWindowSeconds"] >= 180
    gateway = default("gateway.autoscaling.behavior.scaleDown.policies")
    assert gateway == [{"type": "Pods", "value": 1, "periodSeconds": 300}]


@each_case
def test_mode_decides_what_scales(values: Values) -> None:
    release = render(values)
    kinds = {
        "none": [],
        "cpu": ["HorizontalPodAutoscaler"],
        "metric": ["HorizontalPodAutoscaler"],
        "keda": ["ScaledObject"],
    }
    modes = merged(
        {"gateway": {"autoscaling": {"mode": default("gateway.autoscaling.mode")}}}, values
    )["gateway"]["autoscaling"]
    assert [each["kind"] for each in scalers(release, "gateway")] == kinds[modes["mode"]]


@search(max_examples=60, deadline=None)
@given(
    slots=integers(1, 200),
    share=floats(0.05, 1).map(lambda each: round(each, 2)),
    demand=integers(0, 5000),
    mode=sampled_from(["metric", "keda"]),
)
def test_demand_asks_for_so_many_pods_that_their_share_of_slots_holds_it(
    slots: int, share: float, demand: int, mode: str
) -> None:
    """The documented rule: pods = demand over the slots of a pod times the share, rounded up."""
    values = transcribers(
        mode, engine="mock", slots=slots, autoscaling={"targetSlotUtilization": share}
    )
    found = scaler("transcriber", values)
    measured = {"scripta_demand_sessions": demand, "scripta:v1:assign": demand}
    # Exact, in hundredths: 0.29 of 100 slots are 29.
    target = max(1, floor(slots * round(share * 100) / 100 + 1e-9))
    assert desired(found, 0, measured) == min(max(1, ceil(demand / target)), 1000)


@pytest.mark.parametrize("mode", ["metric", "keda"])
@pytest.mark.parametrize(
    ("demand", "pods"), [(0, 1), (9, 1), (10, 2), (12, 2), (18, 2), (19, 3), (90, 10), (9000, 1000)]
)
def test_twelve_slots_a_pod_grow_at_three_quarters(mode: str, demand: int, pods: int) -> None:
    measured = {"scripta_demand_sessions": demand, "scripta:v1:assign": demand}
    assert desired(scaler("transcriber", transcribers(mode)), 0, measured) == pods


@pytest.mark.parametrize(
    "values",
    [transcribers("metric"), transcribers("keda"), merged(transcribers("keda"), PROMETHEUS)],
)
@pytest.mark.parametrize("pods", [1, 2, 5, 40])
def test_full_pods_always_ask_for_more(values: Values, pods: int) -> None:
    """Guards a share so near to 1 that the controller's tolerance would swallow it."""
    full = pods * 12
    measured = {"scripta_demand_sessions": full, "scripta:v1:assign": full}
    assert desired(scaler("transcriber", values), pods, measured) > pods
    assert default("transcriber.autoscaling.targetSlotUtilization") < 1 - TOLERANCE


def test_each_pool_grows_by_its_own_demand() -> None:
    pools = {"pools": {"big": {"slots": 4}}}
    metric = scaler("transcriber-big", merged(transcribers("metric"), pools))
    external = metric["spec"]["metrics"][0]["external"]
    assert external["metric"]["selector"]["matchLabels"] == {"pool": "big"}
    assert external["target"]["averageValue"] == "3"
    keda = scaler("transcriber-big", merged(transcribers("keda"), pools))
    assert keda["spec"]["triggers"][0]["metadata"]["stream"] == "scripta:v1:assign:big"
    asked = scaler("transcriber-big", merged(transcribers("keda"), pools, PROMETHEUS))
    query = asked["spec"]["triggers"][0]["metadata"]["query"]
    assert query == 'max(scripta_demand_sessions{pool="big",namespace="speech"})'


@pytest.mark.parametrize(
    ("share", "pods"), [(70, 4), (76, 4), (84, 5), (140, 8), (7, 1), (900, 10)]
)
def test_cpu_keeps_the_pods_at_their_share(share: float, pods: int) -> None:
    found = scaler("transcriber", {})
    assert desired(found, 4, {"cpu": share}) == pods


@pytest.mark.parametrize(
    ("cpu", "sessions", "pods"), [(10, 100, 4), (10, 200, 8), (140, 10, 8), (1, 1, 2)]
)
def test_gateways_grow_by_what_is_scarcer(cpu: float, sessions: float, pods: int) -> None:
    found = scaler("gateway", {"gateway": {"autoscaling": {"mode": "metric"}}})
    assert desired(found, 4, {"cpu": cpu, "scripta_gateway_sessions": sessions}) == pods


@each_case
def test_cpu_is_measured_of_a_container_that_asks_for_it(values: Values) -> None:
    """Guards an HPA that shows <unknown>: a share needs a request, and a container that exists."""
    release = render(values)
    for component in ("gateway", "transcriber"):
        requests = {
            each["name"]: each["resources"].get("requests", {})
            for each in release.pod(component).containers
        }
        for found in scalers(release, component):
            for name in _measured_containers(found):
                assert "cpu" in requests[name]


def _measured_containers(found: Object) -> list[str]:
    metrics = found["spec"].get("metrics", [])
    triggers = found["spec"].get("triggers", [])
    return [
        *(
            each["containerResource"]["container"]
            for each in metrics
            if "containerResource" in each
        ),
        *(each["metadata"]["containerName"] for each in triggers if each["type"] == "cpu"),
    ]


def test_a_pool_can_go_to_zero_where_prometheus_is_asked() -> None:
    values = merged(
        PROMETHEUS, {"pools": {"big": {"autoscaling": {"mode": "keda", "minReplicas": 0}}}}
    )
    found = scaler("transcriber-big", values)
    assert desired(found, 1, {"scripta_demand_sessions": 0}) == 0
    assert desired(found, 0, {"scripta_demand_sessions": 1}) == 1
