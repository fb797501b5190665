"""The values that the suite installs with: small, so that everything fits a node with two cores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .settings import E2ESettings

Values = dict[str, Any]

_SPARE_SLOTS = 4


def base_values(settings: E2ESettings) -> Values:
    """Returns the values of the release in its ordinary state.

    Pods are counted by the tests, so nothing scales by itself. A client that is starved on a
    small node must not look as if it had fallen silent: that would cut its sentence elsewhere.
    """
    pull = {"pullPolicy": settings.pull_policy}
    return {
        "logs": {"level": "INFO"},
        "broker": {
            "embedded": {
                "image": {**_image(settings.broker_image), **pull},
                "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
            }
        },
        "gateway": {
            "image": {**_image(settings.gateway_image), **pull},
            "replicas": 2,
            "autoscaling": {"mode": "none"},
            "settings": {"idleFlushSeconds": 10},
            "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
            "service": {"type": "NodePort" if settings.node_address else "ClusterIP"},
        },
        "transcriber": {
            "image": {**_image(settings.transcriber_image), **pull},
            "engine": settings.engine,
            "slots": settings.sessions + _SPARE_SLOTS,
            "replicas": 1,
            "autoscaling": {"mode": "none"},
            "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        },
    }


def autoscaled_values() -> Values:
    """Returns what makes the transcribers scale by a load that one pod makes, and soon back."""
    every = [{"type": "Pods", "value": 1, "periodSeconds": 15}]
    return {
        "transcriber": {
            "autoscaling": {
                "mode": "cpu",
                "minReplicas": 1,
                "maxReplicas": 2,
                "targetCPUUtilizationPercentage": 60,
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 15, "policies": every}},
            }
        }
    }


def merged(*layers: Mapping[str, Any]) -> Values:
    """Returns layers of values as helm merges them: maps together, all else replaced."""
    result: Values = {}
    for layer in layers:
        for key, value in layer.items():
            before = result.get(key)
            both_maps = isinstance(before, dict) and isinstance(value, Mapping)
            result[key] = merged(before, value) if both_maps and before else value
    return result


class ValuesFiles:
    """Writes values to files and returns helm's arguments for them.

    Args:
        folder: Where to.
        settings: What the caller of the suite adds.
    """

    def __init__(self, folder: Path, settings: E2ESettings) -> None:
        self._folder = folder
        self._base = base_values(settings)
        self._settings = settings
        self._count = 0

    def arguments(self, changes: Mapping[str, Any] | None = None) -> list[str]:
        """Returns arguments for the base with changes over it; the caller's come in between."""
        arguments = ["--values", str(self._write(self._base))]
        for path in self._settings.values_files:
            arguments += ["--values", str(path)]
        if changes:
            arguments += ["--values", str(self._write(changes))]
        for each in self._settings.sets:
            arguments += ["--set", each]
        return arguments

    def _write(self, values: Mapping[str, Any]) -> Path:
        self._count += 1
        path = self._folder / f"values-{self._count}.yaml"
        # JSON is YAML.
        path.write_text(json.dumps(values, indent=1), encoding="utf-8")
        return path


def _image(reference: str) -> dict[str, str]:
    if not reference:
        return {}
    repository, _, tag = reference.rpartition(":")
    return {"repository": repository, "tag": tag}
