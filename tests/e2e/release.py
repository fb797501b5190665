"""The release under test: what it is made of, what state it is in, what is done to it.

The chart's names are written down here only; a test holds them against the rendered chart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

from .commands import until
from .helm import Helm
from .kubectl import Kubectl, Manifest
from .settings import E2ESettings
from .values import ValuesFiles

GATEWAY, TRANSCRIBER, BROKER = "gateway", "transcriber", "broker"
COMPONENTS = (GATEWAY, TRANSCRIBER, BROKER)
CONTAINERS: Mapping[str, str] = {GATEWAY: "gateway", TRANSCRIBER: "transcriber", BROKER: "valkey"}
PORTS: Mapping[str, int] = {GATEWAY: 8000, TRANSCRIBER: 8001, BROKER: 6379}
METRICS_PORT = 8001
"""Of gateways and of transcribers."""
INSTANCE_LABEL = "app.kubernetes.io/instance"
COMPONENT_LABEL = "app.kubernetes.io/component"

KINDS = (
    "deployments",
    "statefulsets",
    "services",
    "configmaps",
    "secrets",
    "serviceaccounts",
    "poddisruptionbudgets",
    "networkpolicies",
    "horizontalpodautoscalers",
    "ingresses",
    "persistentvolumeclaims",
)
SETTLE_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as the API shows it.

    Attributes:
        name: Its name.
        uid: What tells it from a later one of the same name.
        ready: Whether it takes work.
        going: Whether it has been told to stop.
        restarts: How often its containers were started again.
        manifest: All of it.
    """

    name: str
    uid: str
    ready: bool
    going: bool
    restarts: int
    manifest: Manifest

    @classmethod
    def read(cls, manifest: Manifest) -> Self:
        """Returns the pod of a manifest."""
        status = manifest.get("status", {})
        conditions = {each["type"]: each["status"] for each in status.get("conditions", ())}
        return cls(
            name=manifest["metadata"]["name"],
            uid=manifest["metadata"]["uid"],
            ready=conditions.get("Ready") == "True",
            going="deletionTimestamp" in manifest["metadata"],
            restarts=sum(each["restartCount"] for each in status.get("containerStatuses", ())),
            manifest=manifest,
        )


class Release:
    """A release of the chart on the cluster.

    Args:
        kubectl: Of its namespace.
        helm: Of its name.
        settings: What the suite was told.
        values: Its values.
    """

    def __init__(
        self, kubectl: Kubectl, helm: Helm, settings: E2ESettings, values: ValuesFiles
    ) -> None:
        self.kubectl = kubectl
        self.helm = helm
        self._settings = settings
        self._values = values
        self._changed = False

    @property
    def selector(self) -> str:
        """Selects all objects of the release."""
        return f"{INSTANCE_LABEL}={self.helm.release}"

    def name(self, component: str) -> str:
        """Returns the name of a component's objects."""
        return object_name(self.helm.release, component)

    def install(self) -> None:
        """Installs the release with its ordinary values."""
        self.helm.install(self._values.arguments())

    def upgrade(self, changes: Mapping[str, Any]) -> None:
        """Upgrades to the ordinary values with changes over them."""
        self._changed = True
        self.helm.upgrade(self._values.arguments(changes))

    def rollback(self, revision: int) -> None:
        """Goes back to a revision with the ordinary values."""
        self.helm.rollback(revision)
        self._changed = False

    def calm(self) -> None:
        """Brings the release back to its ordinary state, whatever a test has left behind."""
        if self._changed:
            self.helm.upgrade(self._values.arguments(), force=True)
            self._changed = False
        self.scale(TRANSCRIBER, 1)
        self.wait_settled()

    def revision(self) -> int:
        """Returns the number of the newest revision."""
        return int(self.helm.history()[-1]["revision"])

    def workload(self, component: str) -> Manifest:
        """Returns the Deployment or StatefulSet of a component."""
        return self.kubectl.get(kind_of(component), self.name(component))

    def pods(self, component: str) -> list[Pod]:
        """Returns the pods of a component, those included that are going, the oldest first."""
        found = self.kubectl.get(
            "pods", "--selector", f"{self.selector},{COMPONENT_LABEL}={component}"
        )
        items = sorted(found["items"], key=lambda each: each["metadata"]["creationTimestamp"])
        return [Pod.read(each) for each in items]

    def scale(self, component: str, replicas: int) -> None:
        """Asks for a number of pods."""
        target = f"{kind_of(component)}/{self.name(component)}"
        self.kubectl.run("scale", target, f"--replicas={replicas}")

    def restart(self, component: str) -> None:
        """Starts a rollout without a change."""
        self.kubectl.run("rollout", "restart", f"{kind_of(component)}/{self.name(component)}")

    def sacrifice(self, pod: Pod) -> None:
        """Makes a pod the first to go when its Deployment is scaled down."""
        cost = "controller.kubernetes.io/pod-deletion-cost=-1000"
        self.kubectl.run("annotate", "pod", pod.name, cost, "--overwrite")

    def delete_pod(self, pod: Pod, *, force: bool = False) -> None:
        """Deletes a pod and does not wait; by force, the API forgets it at once."""
        how = ["--grace-period=0", "--force"] if force else []
        self.kubectl.run("delete", "pod", pod.name, "--wait=false", *how)

    def settled(self, component: str) -> list[Pod] | None:
        """Returns a component's pods if they are all that was asked for, ready, and of today."""
        workload = self.workload(component)
        wanted, status = workload["spec"]["replicas"], workload.get("status", {})
        if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
            return None
        if status.get("updatedReplicas", 0) != wanted or status.get("replicas", 0) != wanted:
            return None
        if status.get("currentRevision") != status.get("updateRevision"):
            return None
        pods = self.pods(component)
        calm = len(pods) == wanted and all(pod.ready and not pod.going for pod in pods)
        return pods if calm else None

    def wait_settled(self, *components: str, seconds: float = SETTLE_SECONDS) -> None:
        """Waits until no rollout is under way and no pod is coming or going.

        Args:
            components: Which; all if none is named.
            seconds: Limit for each.
        """
        for component in components or COMPONENTS:
            until(
                partial(self.settled, component),
                self._settings.limit(seconds),
                f"all pods of the {component} ready and none going",
            )

    @contextmanager
    def address(self) -> Iterator[str]:
        """Yields ``host:port`` at which the gateways can be reached from here."""
        service = self.kubectl.get("service", self.name(GATEWAY))
        port = service["spec"]["ports"][0]
        if self._settings.node_address:
            yield f"{self._settings.node_address}:{port['nodePort']}"
        else:
            with self.kubectl.forward(f"service/{self.name(GATEWAY)}", port["port"]) as address:
                yield address

    def inner_url(self) -> str:
        """Returns the address of the native dialect inside the namespace."""
        service = self.kubectl.get("service", self.name(GATEWAY))
        return f"ws://{self.name(GATEWAY)}:{service['spec']['ports'][0]['port']}/ws"

    def client_image(self) -> tuple[str, str]:
        """Returns the gateway's image and how it is pulled: what the suite's own pods run."""
        container = self.workload(GATEWAY)["spec"]["template"]["spec"]["containers"][0]
        return container["image"], container["imagePullPolicy"]

    def setting(self, component: str, variable: str) -> str:
        """Returns an environment variable of a component's pods."""
        container = self.workload(component)["spec"]["template"]["spec"]["containers"][0]
        return next(str(each["value"]) for each in container["env"] if each["name"] == variable)

    def broker_password(self) -> str:
        """Returns the broker's password, as its Secret has it (encoded)."""
        return str(self.kubectl.get("secret", password_name(self.helm.release))["data"]["password"])

    def metrics(self, pod: Pod) -> str:
        """Returns what a pod of a service says to a scrape."""
        with self.kubectl.forward(f"pod/{pod.name}", METRICS_PORT) as address:
            answer = httpx.get(f"http://{address}/metrics", timeout=10.0)
        return answer.raise_for_status().text

    def demand(self) -> list[float | None]:
        """Returns the demand of the default pool, as each gateway says; ``None`` if it does not."""
        said = [self.metrics(pod) for pod in self.pods(GATEWAY)]
        return [gauge(text, "scripta_demand_sessions", pool="default") for text in said]

    def objects(self) -> frozenset[str]:
        """Returns what the release is made of, without pods and helm's own records."""
        return self.kubectl.names(KINDS, self.selector)


def gauge(scrape: str, name: str, **labels: str) -> float | None:
    """Returns the value of a gauge in a scrape; ``None`` if it is not there."""
    for family in text_string_to_metric_families(scrape):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return None


def kind_of(component: str) -> str:
    """Returns the kind of object that runs a component."""
    return "statefulset" if component == BROKER else "deployment"


def object_name(release: str, component: str) -> str:
    """Returns the name that the chart gives to a component's objects."""
    prefix = release if "scripta" in release else f"{release}-scripta"
    return f"{prefix}-{component}"


def password_name(release: str) -> str:
    """Returns the name of the Secret that the chart makes for the broker."""
    return f"{object_name(release, BROKER)}-password"
