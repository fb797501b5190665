"""NetworkPolicies: clients reach the gateways, and nobody else the broker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from .commands import until
from .kubectl import Kubectl
from .manifests import LABEL, client_pod, deny_ingress, python_pod
from .pods import PodSite, trouble_of
from .release import BROKER, GATEWAY, PORTS, Release
from .settings import E2ESettings

pytestmark = pytest.mark.e2e

GUARDED = {LABEL: "guarded"}
GUARDED_PORT = 8080
OUTSIDER_SECONDS = 20
POD_SECONDS = 60.0

Reach = Callable[..., dict[str, bool]]


@pytest.fixture
def reach(release: Release, site: PodSite, settings: E2ESettings) -> Iterator[Reach]:
    """Runs a pod that is no part of the release and tries addresses; by each, if it is so."""
    names: list[str] = []

    def run(**wanted: str) -> dict[str, bool]:
        name = f"e2e-outsider-{len(names) + 1}"
        names.append(name)
        targets = [f"{state}={address}" for address, state in wanted.items()]
        arguments = ["reach", str(OUTSIDER_SECONDS), *targets]
        release.kubectl.create(client_pod(name, release.client_image(), arguments))

        def done() -> bool:
            pod = release.kubectl.get("pod", name)
            assert not trouble_of(pod), trouble_of(pod)
            return bool(pod["status"].get("phase") == "Succeeded")

        limit = POD_SECONDS + 2 * OUTSIDER_SECONDS * len(targets)
        until(done, settings.limit(limit), f"{name} done")
        found: dict[str, bool] = json.loads(release.kubectl.run("logs", name).splitlines()[-1])
        return found

    yield run
    for name in names:
        release.kubectl.delete("pod", name)


@pytest.fixture
def enforced(release: Release, reach: Reach, settings: E2ESettings) -> Iterator[None]:
    """Skips where the cluster's network takes no notice of policies."""
    kubectl = release.kubectl
    command = ["-m", "http.server", str(GUARDED_PORT), "--directory", "/tmp"]
    kubectl.create(python_pod("e2e-guarded", release.client_image(), command, GUARDED))
    try:
        ip = until(lambda: running_ip(kubectl), settings.limit(POD_SECONDS), "e2e-guarded runs")
        address = f"{ip}:{GUARDED_PORT}" if "." in ip else f"[{ip}]:{GUARDED_PORT}"
        assert reach(**{address: "open"})[address], "two pods can not reach each other at all"
        kubectl.create(deny_ingress("e2e-deny", GUARDED))
        if not reach(**{address: "closed"})[address]:
            pytest.skip("the cluster's network does not enforce NetworkPolicies")
        yield
    finally:
        kubectl.delete("networkpolicy", "e2e-deny")
        kubectl.delete("pod", "e2e-guarded")


def test_outsider_reaches_the_gateways_and_not_the_broker(
    enforced: None, release: Release, reach: Reach
) -> None:
    gateway = release.inner_url().removeprefix("ws://").removesuffix("/ws")
    broker = f"{release.name(BROKER)}:{PORTS[BROKER]}"
    assert reach(**{gateway: "open", broker: "closed"}) == {gateway: True, broker: True}


def test_services_reach_the_broker(release: Release) -> None:
    """The other half: it is closed by its policy, and not because nobody listens."""
    program = (
        f"import socket; socket.create_connection(({release.name(BROKER)!r}, {PORTS[BROKER]}), 5);"
        "print('open')"
    )
    assert release.kubectl.python(release.pods(GATEWAY)[0].name, program).strip() == "open"


def running_ip(kubectl: Kubectl) -> str:
    """Returns the address of the guarded pod once it listens."""
    status = kubectl.get("pod", "e2e-guarded")["status"]
    if status.get("phase") != "Running":
        return ""
    connect = f"import socket; socket.create_connection(('127.0.0.1', {GUARDED_PORT}), 2)"
    kubectl.python("e2e-guarded", connect)
    return str(status["podIP"])
