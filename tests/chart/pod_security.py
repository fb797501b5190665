"""Kubernetes' restricted Pod Security Standard, and what we ask of pods beyond it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .rendering import Pod

VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image"),
    *("persistentVolumeClaim", "projected", "secret"),
}
"""Kubernetes' admission allows images since 1.33."""


def violations(pod: Pod) -> Iterator[str]:
    """Yields what the restricted standard forbids in a pod."""
    spec = pod.spec
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{field} is set"
    for volume in spec.get("volumes", []):
        for kind in volume.keys() - {"name"} - VOLUMES:
            yield f"volume {volume['name']} is a {kind}"
    whole = spec.get("securityContext", {})
    for container in pod.containers:
        for fault in _of_container(container, whole):
            yield f"container {container['name']}: {fault}"


def _of_container(container: dict[str, Any], pod: dict[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    if own.get("privileged"):
        yield "is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if own.get("capabilities", {}).get("drop") != ["ALL"]:
        yield "keeps capabilities"
    if set(own.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "gets capabilities"
    if own.get("procMount", "Default") != "Default":
        yield "has another /proc"
    if {**pod, **own}.get("runAsNonRoot") is not True:
        yield "may run as root"
    if 0 in (pod.get("runAsUser"), own.get("runAsUser")):
        yield "runs as root"
    profile = {**pod, **own}.get("seccompProfile", {}).get("type")
    if profile not in ("RuntimeDefault", "Localhost"):
        yield f"has the seccomp profile {profile}"
    for context in (pod, own):
        if context.get("sysctls") or context.get("windowsOptions", {}).get("hostProcess"):
            yield "changes the host"
        options = context.get("seLinuxOptions", {})
        if options.get("user") or options.get("role"):
            yield "chooses its SELinux user"
    for port in container.get("ports", []):
        if port.get("hostPort"):
            yield f"takes port {port['hostPort']} of the host"


def own_rules(pod: Pod) -> Iterator[str]:
    """Yields what we want of every pod and it lacks."""
    spec = pod.spec
    if spec.get("automountServiceAccountToken") is not False:
        yield "mounts a service account's token"
    if spec.get("enableServiceLinks") is not False:
        yield "gets a variable for every Service, of which one could be read as a setting"
    if not spec["securityContext"].get("runAsUser", 0) >= 999:
        yield "leaves its user to the image"
    mounted = set()
    for container in pod.containers:
        name = container["name"]
        mounted |= {each["name"] for each in container.get("volumeMounts", [])}
        if container["securityContext"].get("readOnlyRootFilesystem") is not True:
            yield f"container {name} may write to its root"
        requests = container.get("resources", {}).get("requests", {})
        if not {"cpu", "memory"} <= requests.keys():
            yield f"container {name} does not say what it needs"
        if not container["resources"].get("limits", {}).get("memory"):
            yield f"container {name} may take all memory of its node"
        image = container["image"]
        tag = image.rpartition("/")[2].partition(":")[2]
        if "@sha256:" not in image and tag in ("", "latest"):
            yield f"image {image} of container {name} may change at any time"
    if mounted != {each["name"] for each in spec.get("volumes", [])} | _claimed(pod):
        yield "mounts other volumes than it has"


def _claimed(pod: Pod) -> set[str]:
    claims = pod.owner["spec"].get("volumeClaimTemplates", [])
    return {each["metadata"]["name"] for each in claims}
