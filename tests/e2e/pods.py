"""Clients as pods next to the release."""

from __future__ import annotations

from pathlib import Path

from .commands import CommandFailed
from .inside.orders import Orders, Place
from .kubectl import Kubectl, Manifest
from .live import ClientFailed
from .manifests import STOP_PATH, VOICES_PATH, client_pod
from .release import Release
from .speech import voices

_CAN_NOT_START = {
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
}


class PodSpeakers:
    """A client in a pod."""

    def __init__(self, kubectl: Kubectl, name: str) -> None:
        self._kubectl = kubectl
        self._name = name

    def lines(self) -> list[str]:
        """Returns what it has printed."""
        pod = self._kubectl.get("pod", self._name)
        problem = trouble_of(pod)
        if pod["status"].get("phase") in (None, "Pending") and not problem:
            return []
        try:
            output = self._kubectl.run("logs", self._name)
        except CommandFailed as error:
            output = str(error)
        if problem:
            other = [line for line in output.splitlines() if not line.startswith("{")]
            raise ClientFailed(f"{self._name}: {problem}\n" + "\n".join(other[-30:]))
        return output.splitlines()

    def stop(self) -> None:
        """Lets it find the file that it looks for, unless it is over already."""
        try:
            self._kubectl.python(self._name, f"open({STOP_PATH!r}, 'w').close()")
        except CommandFailed:
            if self._kubectl.get("pod", self._name)["status"].get("phase") == "Running":
                raise

    def close(self) -> None:
        """Deletes the pod."""
        self._kubectl.delete("pod", self._name)


class PodSite:
    """Starts clients in the release's namespace.

    Args:
        release: What they speak to.
    """

    def __init__(self, release: Release) -> None:
        self._release = release
        self._count = 0

    def start(self, orders: Orders) -> PodSpeakers:
        """Starts a client that speaks to the gateways' Service."""
        self._count += 1
        name = f"e2e-client-{self._count}"
        paths = [Path(VOICES_PATH) / f"{voice.name}.pcm" for voice in voices()]
        place = Place(self._release.inner_url(), paths, Path(STOP_PATH))
        arguments = ["speak", *orders.arguments(), *place.arguments()]
        kubectl = self._release.kubectl
        kubectl.create(client_pod(name, self._release.client_image(), arguments))
        return PodSpeakers(kubectl, name)


def trouble_of(pod: Manifest) -> str:
    """Returns why a pod that runs once failed or will not start; nothing if all is well."""
    status = pod["status"]
    if status.get("phase") == "Failed":
        return f"failed {status.get('reason', '')} {status.get('message', '')}".strip()
    for container in status.get("containerStatuses", ()):
        waiting = container["state"].get("waiting", {})
        if waiting.get("reason") in _CAN_NOT_START:
            return f"{waiting['reason']}: {waiting.get('message', '')}"
    return ""
