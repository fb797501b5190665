"""How many pods an autoscaler of the chart asks for, as Kubernetes and KEDA reckon it."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from .rendering import Object

TOLERANCE = 0.1
"""By so much a ratio may be off 1 without an effect: the default of the HPA's controller."""


def desired(scaler: Object, pods: int, measured: Mapping[str, float]) -> int:
    """Returns the number of pods that an HPA or a ScaledObject asks for.

    Args:
        scaler: The HPA or the ScaledObject.
        pods: How many there are now.
        measured: For each metric its value: a share in percent for ``cpu``, an average over the
            pods for a metric of pods, a sum for what is not of pods.
    """
    spec = scaler["spec"]
    if scaler["kind"] == "ScaledObject":
        least, most = spec["minReplicaCount"], spec["maxReplicaCount"]
        wanted = [_of_trigger(each, pods, measured) for each in spec["triggers"]]
    else:
        least, most = spec["minReplicas"], spec["maxReplicas"]
        wanted = [_of_metric(each, pods, measured) for each in spec["metrics"]]
    return int(min(max(*wanted, least), most)) if wanted else int(least)


def _of_metric(metric: Mapping[str, object], pods: int, measured: Mapping[str, float]) -> int:
    match metric:
        case {
            "type": "ContainerResource",
            "containerResource": {"name": name, "target": {"averageUtilization": target}},
        }:
            return _by_ratio(pods, measured[str(name)] / float(str(target)))
        case {
            "type": "Pods",
            "pods": {"metric": {"name": name}, "target": {"averageValue": target}},
        }:
            return _by_ratio(pods, measured[str(name)] / float(str(target)))
        case {
            "type": "External",
            "external": {"metric": {"name": name}, "target": {"averageValue": target}},
        }:
            return _of_sum(pods, measured[str(name)], float(str(target)))
    raise ValueError(f"no HPA knows the metric {metric}")


def _of_trigger(trigger: Object, pods: int, measured: Mapping[str, float]) -> int:
    metadata = trigger["metadata"]
    if trigger["type"] == "cpu":
        return _by_ratio(pods, measured["cpu"] / float(metadata["value"]))
    if trigger["type"] == "prometheus":
        return _of_sum(pods, measured["scripta_demand_sessions"], float(metadata["threshold"]))
    return _of_sum(pods, measured[metadata["stream"]], float(metadata["streamLength"]))


def _by_ratio(pods: int, ratio: float) -> int:
    return pods if abs(ratio - 1) <= TOLERANCE else ceil(pods * ratio)


def _of_sum(pods: int, value: float, target: float) -> int:
    """An average target: the sum over it, unless that is hardly another number of pods."""
    if pods and abs(value / (target * pods) - 1) <= TOLERANCE:
        return pods
    return ceil(value / target)
