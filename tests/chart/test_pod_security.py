"""Every pod could run in a namespace that enforces the restricted standard."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from .cases import cases
from .pod_security import own_rules, violations
from .rendering import Pod, Values, render

pytestmark = pytest.mark.chart

each_case = pytest.mark.parametrize("values", cases().values(), ids=cases())


@each_case
def test_pods_fit_the_restricted_standard(values: Values) -> None:
    assert {pod.component: list(violations(pod)) for pod in render(values).pods()} == {
        pod.component: [] for pod in render(values).pods()
    }


@each_case
def test_pods_fit_our_own_rules(values: Values) -> None:
    assert {pod.component: list(own_rules(pod)) for pod in render(values).pods()} == {
        pod.component: [] for pod in render(values).pods()
    }


def _container(spec: dict[str, Any]) -> dict[str, Any]:
    context = spec["containers"][0]["securityContext"]
    assert isinstance(context, dict)
    return context


@pytest.mark.parametrize(
    "spoil",
    [
        lambda spec: spec.update(hostNetwork=True),
        lambda spec: spec["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
        lambda spec: spec["securityContext"].update(runAsUser=0),
        lambda spec: spec["securityContext"].pop("seccompProfile"),
        lambda spec: _container(spec).update(privileged=True),
        lambda spec: _container(spec).pop("allowPrivilegeEscalation"),
        lambda spec: _container(spec).pop("capabilities"),
        lambda spec: _container(spec)["capabilities"].update(add=["SYS_ADMIN"]),
        lambda spec: _container(spec).update(runAsNonRoot=False),
        lambda spec: spec["containers"][0]["ports"][0].update(hostPort=80),
    ],
)
def test_a_pod_that_breaks_the_standard_is_found(spoil: Callable[[Any], object]) -> None:
    pod = render().pod("gateway")
    spec = copy.deepcopy(pod.spec)
    spoil(spec)
    assert list(violations(dataclasses.replace(pod, spec=spec)))


def test_every_pod_that_the_chart_makes_is_looked_at() -> None:
    assert {pod.component for pod in render({"pools": {"big": {}}}).pods()} == {
        *("gateway", "broker", "transcriber", "transcriber-big", "test"),
    }


@pytest.mark.parametrize("path", ["gateway", "transcriber", "broker.embedded"])
def test_image_can_be_another_by_tag_or_digest(path: str) -> None:
    component = {"broker.embedded": "broker"}.get(path, path)

    def image(**values: str) -> str:
        nested: dict[str, Any] = {"image": values}
        for name in reversed(path.split(".")):
            nested = {name: nested}
        (container,) = (
            render({**nested, "imageRegistry": "mirror.example/x"}).pod(component).containers
        )
        return str(container["image"])

    own = "mirror.example/x/" if component != "broker" else ""
    assert image(repository="a/b", tag="7") == f"{own}a/b:7"
    digest = "sha256:" + "a" * 64
    assert image(repository="a/b", tag="7", digest=digest) == f"{own}a/b@{digest}"


def test_test_pod_runs_the_images_of_the_release() -> None:
    release = render({"gateway": {"image": {"tag": "g"}}, "transcriber": {"image": {"tag": "t"}}})
    images = [each["image"] for each in release.pod("test").containers]
    assert images == ["scripta-transcriber:t", "scripta-gateway:g"]


def test_pull_secrets_are_on_every_pod() -> None:
    for pod in render({"imagePullSecrets": [{"name": "a"}, {"name": "b"}]}).pods():
        assert pod.spec["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]


def test_accounts_have_no_token_and_no_rights() -> None:
    release = render()
    accounts = {each["metadata"]["name"]: each for each in release.all("ServiceAccount")}
    assert all(each["automountServiceAccountToken"] is False for each in accounts.values())
    used = {pod.spec.get("serviceAccountName") for pod in release.pods()} - {None}
    assert used == accounts.keys()
    assert not {"Role", "ClusterRole", "RoleBinding"} & {each["kind"] for each in release.objects}


def _pods(values: Values) -> list[Pod]:
    return list(render(values).pods())


def test_without_accounts_of_their_own_pods_still_get_no_token() -> None:
    for pod in _pods({"serviceAccount": {"create": False}}):
        assert pod.spec.get("serviceAccountName", "default") == "default"
        assert pod.spec["automountServiceAccountToken"] is False
