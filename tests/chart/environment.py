"""The environment that a container of the chart starts with, and the settings made of it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

from scripta_common.settings import CommonSettings
from scripta_gateway.settings import GatewaySettings
from scripta_transcriber.settings import TranscriberSettings

from .rendering import Pod

SECRETS = {
    "password": "s3cr3t",
    "url": "redis://:s3cr3t@cache.example:6379/0",
    "headers": "authorization=s3cr3t",
}
"""What the Secrets that the tests' values name would hold, by key."""


def service_of(component: str) -> type[CommonSettings]:
    """Returns the settings of the service that runs as a component."""
    return GatewaySettings if component == "gateway" else TranscriberSettings


def entries(pod: Pod) -> list[dict[str, Any]]:
    """Returns the environment of a pod's service as it is written."""
    (container,) = pod.spec["containers"]
    found: list[dict[str, Any]] = container["env"]
    return found


def environment(pod: Pod) -> dict[str, str]:
    """Returns what the container sees: Secrets read, references expanded as Kubernetes does."""
    seen: dict[str, str] = {}
    for entry in entries(pod):
        if "valueFrom" in entry:
            # References in the value of a Secret are left as they are.
            seen[entry["name"]] = SECRETS[entry["valueFrom"]["secretKeyRef"]["key"]]
        else:
            seen[entry["name"]] = _expanded(entry["value"], seen)
    return seen


def settings(pod: Pod) -> CommonSettings:
    """Returns the settings that the service in a pod reads; raises ``ValidationError``."""
    with patch.dict(os.environ, environment(pod), clear=True):
        return service_of(pod.component)()


def _expanded(text: str, known: Mapping[str, str]) -> str:
    """Puts in what was set before; what is not known stays, and so would the ``$(…)``."""
    return re.sub(r"\$\((\w+)\)", lambda found: known.get(found[1], found[0]), text)
