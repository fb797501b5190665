"""What an upgrade starts anew, and what stays when the release has gone."""

from __future__ import annotations

from typing import Any

import pytest

from .cases import CHOICES
from .rendering import CHART, ROOT, Values, merged, render

pytestmark = pytest.mark.chart

TWO_POOLS: Values = {"pools": {"default": {}, "big": {}}}
SERVICES = {"gateway", "transcriber", "transcriber-big"}
LOGIN: dict[str, Any] = {"name": "login"}

NOTHING: dict[str, Values] = {
    "autoscaling": {
        "gateway": {"autoscaling": {"mode": "none"}},
        "transcriber": {"autoscaling": {"mode": "none"}, "replicas": 3},
    },
    "budgets": {"gateway": {"pdb": {"enabled": False}}, "transcriber": {"pdb": {"enabled": False}}},
    "policies": {"networkPolicy": {"enabled": False}},
    "Service": {"gateway": {"service": {"type": "NodePort"}}},
    "Ingress": {"gateway": {"ingress": {"enabled": True, "hosts": ["speech.example.com"]}}},
    "route": {"gateway": {"route": {"enabled": True, "parentRefs": [{"name": "front"}]}}},
    "rules and dashboards": {
        "monitoring": {"prometheusRule": {"enabled": True}, "dashboards": {"enabled": True}}
    },
    "another pool": {"pools": {"third": {}}},
}
ROLLED: dict[str, tuple[Values, set[str]]] = {
    "transcriber": ({"transcriber": {"slots": 4}}, SERVICES - {"gateway"}),
    "pool": ({"pools": {"big": {"slots": 4}}}, {"transcriber-big"}),
    "gateway": ({"gateway": {"settings": {"drainSeconds": 20}}}, {"gateway"}),
    "broker": ({"broker": {"embedded": {"maxMemory": "1gb"}}}, {"broker"}),
    "logs": ({"logs": {"level": "DEBUG"}}, SERVICES),
    "sessions": ({"sessions": {"leaseSeconds": 3}}, SERVICES),
    "imageRegistry": ({"imageRegistry": "registry.example.com"}, SERVICES),
    "podMonitor": ({"monitoring": {"podMonitor": {"enabled": True}}}, SERVICES),
    "scrapeAnnotations": ({"monitoring": {"scrapeAnnotations": False}}, SERVICES),
    "commonLabels": ({"commonLabels": {"team": "speech"}}, {*SERVICES, "broker"}),
    "imagePullSecrets": ({"imagePullSecrets": [LOGIN]}, {*SERVICES, "broker"}),
    "serviceAccount": ({"serviceAccount": {"create": False}}, {*SERVICES, "broker"}),
}


def rolled(change: Values) -> set[str]:
    """Returns the components whose pods a change of values starts anew."""
    before, after = (
        {pod.component: pod for pod in render(values).pods() if pod.component != "test"}
        for values in (TWO_POOLS, merged(TWO_POOLS, change))
    )
    return {
        component
        for component, pod in before.items()
        if (pod.labels, pod.annotations, pod.spec)
        != (after[component].labels, after[component].annotations, after[component].spec)
    }


@pytest.mark.parametrize("change", NOTHING.values(), ids=NOTHING)
def test_change_that_concerns_no_pod_starts_none_anew(change: Values) -> None:
    """Guards connections: every gateway that starts anew closes its own."""
    assert rolled(change) == set()


@pytest.mark.parametrize(("change", "components"), ROLLED.values(), ids=ROLLED)
def test_change_starts_anew_whom_it_concerns(change: Values, components: set[str]) -> None:
    """Guards the table in the chart's README."""
    assert rolled(change) == components


def test_cores_that_the_readme_tells_are_those_that_are_requested() -> None:
    """Guards an installation that stays pending on the node that it was said to fit."""
    release = render()
    cores = {
        pod.component: int(pod.containers[0]["resources"]["requests"]["cpu"].removesuffix("m"))
        for pod in release.pods()
    }
    gateways = release.one("HorizontalPodAutoscaler", "gateway")["spec"]["minReplicas"]
    steady = gateways * cores["gateway"] + cores["transcriber"] + cores["broker"]
    more = cores["gateway"] + cores["transcriber"]
    readme = (CHART / "README.md").read_text("utf-8")
    assert f"requests {steady / 1000:g} cores, and {more / 1000:g} more" in readme


def test_volume_of_the_broker_goes_with_the_release() -> None:
    """Guards an uninstall against audio that nobody looks for any more."""
    values = CHOICES["broker"]["embedded with password and volume"]
    spec = render(values).one("StatefulSet", "broker")["spec"]
    assert spec["volumeClaimTemplates"]
    assert spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete"


def test_test_that_passed_goes_and_nobody_asks_helm_for_its_log() -> None:
    """Helm 3 deletes the pod first, and `--logs` then fails although the test has passed."""
    release = render()
    for kind in ("Pod", "ConfigMap"):
        policy = release.one(kind, "test")["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
        assert set(policy.split(",")) == {"before-hook-creation", "hook-succeeded"}
    documents = [CHART / "README.md", ROOT / "docs/operations.md", ROOT / "k8s/README.md"]
    for text in (release.notes, *(each.read_text("utf-8") for each in documents)):
        commands = [line for line in text.splitlines() if line.lstrip().startswith("helm ")]
        assert commands
        assert not [line for line in commands if " test " in line and "--logs" in line]
