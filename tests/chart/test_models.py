"""A pool whose models are named: what follows from them, and how they come into its pods."""

from __future__ import annotations

import importlib.util
import re
import shlex
from argparse import ArgumentParser, Namespace
from types import ModuleType
from typing import Any

import pytest

from scripta_models.arguments import add_commands
from scripta_models.catalogue import read_catalogue
from scripta_transcriber.settings import TranscriberSettings

from . import kubernetes_schemas
from .cases import OWN_MODEL
from .environment import environment, settings
from .network import Peer, allowed
from .pod_security import own_rules, violations
from .rendering import NAMESPACE, ROOT, Object, Pod, Values, render

pytestmark = pytest.mark.chart

PARAKEET: Values = {"models": [{"name": "parakeet-tdt-0.6b-v3"}]}
HUB = Peer(None, address="203.0.113.9")
INSIDE = Peer({"app": "mirror"}, namespace="data")


def pod_of(pool: Values, **more: Any) -> Pod:
    return render({"pools": {"named": pool}, **more}).pod("transcriber-named")


def fetches(pod: Pod) -> list[Object]:
    found: list[Object] = pod.spec.get("initContainers", [])
    return found


def understood(container: Object) -> Namespace:
    """Returns the command line as the command in the image reads it; exits if it does not."""
    parser = ArgumentParser()
    add_commands(parser)
    program, *words = container["command"]
    assert program == "scripta-models"
    return parser.parse_args(words)


def mounts(container: Object) -> dict[str, bool]:
    """Returns for each folder whether it is mounted to be read only."""
    return {each["mountPath"]: each.get("readOnly", False) for each in container["volumeMounts"]}


def models_volume(pod: Pod) -> Object:
    (found,) = [each for each in pod.spec["volumes"] if each["name"] == "models"]
    assert isinstance(found, dict)
    return found


def test_name_of_a_model_is_all_that_its_pool_needs() -> None:
    pod = pod_of(PARAKEET)
    (fetch,) = fetches(pod)
    found = settings(pod)
    (transcriber,) = pod.spec["containers"]
    assert isinstance(found, TranscriberSettings)
    assert (found.engine, found.model, found.slots) == ("sherpa", "parakeet-tdt-0.6b-v3", 8)
    assert transcriber["image"] == fetch["image"] == "scripta-transcriber-sherpa:0.1.0"
    assert transcriber["resources"]["requests"] == {"cpu": "500m", "memory": "1454Mi"}
    assert transcriber["resources"]["limits"] == {"memory": "3037Mi"}
    assert fetch["resources"]["requests"]["ephemeral-storage"] == "802Mi"
    assert models_volume(pod)["emptyDir"] == {"sizeLimit": "802Mi"}
    asked = understood(fetch)
    assert (asked.name, str(asked.to), asked.source) == ("parakeet-tdt-0.6b-v3", "/models", "")


def test_several_models_serve_in_their_order_and_the_one_of_the_image_is_not_fetched() -> None:
    pod = pod_of({"models": [{"name": "moonshine-tiny-en"}, {"name": "whisper-base"}]})
    found = settings(pod)
    assert isinstance(found, TranscriberSettings)
    assert [(name, source.model) for name, source in found.engines] == [
        ("moonshine", ""),
        ("whisper", "whisper-base"),
    ]
    assert [each["name"] for each in fetches(pod)] == ["fetch-whisper-base"]
    alone = pod_of({"models": [{"name": "moonshine-tiny-en"}]})
    assert not fetches(alone)
    assert environment(alone)["MODEL"] == ""


def test_memory_that_somebody_has_set_stays() -> None:
    resources = {"requests": {"memory": "3Gi"}, "limits": {"memory": "5Gi"}}
    (container,) = pod_of({**PARAKEET, "resources": resources}).spec["containers"]
    assert container["resources"]["requests"]["memory"] == "3Gi"
    assert container["resources"]["limits"]["memory"] == "5Gi"


def test_model_of_ones_own_comes_from_its_source_by_its_checksums() -> None:
    pod = pod_of({"models": [OWN_MODEL]})
    asked = understood(fetches(pod)[0])
    assert asked.source == OWN_MODEL["source"]
    assert asked.sha256 == OWN_MODEL["sha256"]
    assert (environment(pod)["ENGINE"], environment(pod)["MODEL"]) == ("whisper", "house.model")
    assert models_volume(pod)["emptyDir"] == {"sizeLimit": "16Gi"}


def test_fetch_writes_the_volume_and_the_transcriber_reads_it() -> None:
    pod = pod_of({"models": [{"name": "whisper-base"}, {"name": "whisper-small"}]})
    for fetch in fetches(pod):
        assert mounts(fetch)["/models"] is False
    (transcriber,) = pod.spec["containers"]
    assert mounts(transcriber)["/models"] is True
    assert not list(violations(pod))
    assert not list(own_rules(pod))


def test_failed_fetch_leaves_its_message_in_the_pod_and_its_model_in_the_event() -> None:
    """The kubelet's event names the container, so the container is named after the model."""
    longest = {**OWN_MODEL, "name": "a" + "._-" * 21}
    for fetch in fetches(pod_of({"models": [{"name": "gigaam-v3"}]})):
        assert fetch["name"] == "fetch-gigaam-v3"
        assert str(understood(fetch).message_to) == fetch["terminationMessagePath"]
        assert fetch["terminationMessagePolicy"] == "FallbackToLogsOnError"
    (fetch,) = fetches(pod_of({"models": [longest]}))
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fetch["name"])


def test_tokens_and_ways_reach_the_fetch_and_nothing_else() -> None:
    ways = {
        "mirror": "https://mirror.example/models",
        "proxy": "http://proxy.example:3128",
        "noProxy": ".svc",
        "secretName": "tokens",
        "caConfigMap": {"name": "house-ca"},
    }
    pod = pod_of({**PARAKEET, "modelFetch": ways})
    (fetch,) = fetches(pod)
    assert {each["name"]: each["value"] for each in fetch["env"]} == {
        "SCRIPTA_MODELS_MIRROR": ways["mirror"],
        "HTTPS_PROXY": ways["proxy"],
        "HTTP_PROXY": ways["proxy"],
        "NO_PROXY": ".svc",
        "SSL_CERT_FILE": "/etc/scripta/models-ca/ca.crt",
    }
    assert fetch["envFrom"] == [{"secretRef": {"name": "tokens"}}]
    (transcriber,) = pod.spec["containers"]
    assert "envFrom" not in transcriber
    assert not environment(pod).keys() & {each["name"] for each in fetch["env"]}
    assert mounts(fetch)["/etc/scripta/models-ca"]
    assert "/etc/scripta/models-ca" not in mounts(transcriber)


@pytest.mark.parametrize(
    ("pool", "reached"),
    [
        ({}, set()),
        (PARAKEET, {"hub 443"}),
        ({**PARAKEET, "modelFetch": {"mirror": "http://m.data.svc:8080/x"}}, {"inside 8080"}),
        ({**PARAKEET, "modelFetch": {"proxy": "http://p.data.svc:3128"}}, {"inside 3128"}),
        ({"models": [OWN_MODEL]}, {"inside 8443"}),
        (
            {**PARAKEET, "modelFetch": {"proxy": "http://p.data.svc:3128", "noProxy": "hub"}},
            {"inside 3128", "hub 443"},
        ),
        ({"models": [{"name": "moonshine-tiny-en"}]}, set()),
    ],
)
def test_pod_reaches_what_it_fetches_from_and_no_more(pool: Values, reached: set[str]) -> None:
    release = render({"pools": {"named": pool}})
    pod = Peer.of(release.pod("transcriber-named"))
    assert reached == {
        f"{name} {port}"
        for name, peer in (("hub", HUB), ("inside", INSIDE))
        for port in (80, 443, 3128, 8080, 8443)
        if allowed(release, pod, peer, port)
        and (name == "inside" or not allowed(release, pod, INSIDE, port))
    }


def test_pods_share_a_claim_of_the_chart_or_of_ones_own() -> None:
    claim = {"size": "10Gi", "storageClass": "fast"}
    release = render({"pools": {"named": {**PARAKEET, "modelVolume": {"claim": claim}}}})
    (made,) = release.all("PersistentVolumeClaim")
    assert made["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "10Gi"}},
    }
    volume = models_volume(release.pod("transcriber-named"))
    assert volume["persistentVolumeClaim"] == {"claimName": made["metadata"]["name"]}
    own = pod_of({**PARAKEET, "modelVolume": {"existingClaim": "mine"}})
    assert models_volume(own)["persistentVolumeClaim"] == {"claimName": "mine"}
    assert "ephemeral-storage" not in fetches(own)[0]["resources"]["requests"]


def test_volume_that_holds_a_model_already_needs_no_fetch() -> None:
    pool = {"engine": "whisper", "model": "small", "modelVolume": {"existingClaim": "mine"}}
    pod = pod_of(pool)
    assert not fetches(pod)
    assert mounts(pod.spec["containers"][0])["/models"] is True


def test_image_with_models_is_mounted_and_the_catalogue_says_what_runs_them() -> None:
    reference = f"registry.example/models@sha256:{'a' * 64}"
    pool = {"modelImage": reference, "model": "whisper-large-v3"}
    pod = pod_of(pool)
    assert models_volume(pod)["image"] == {"reference": reference, "pullPolicy": "IfNotPresent"}
    assert not fetches(pod)
    assert environment(pod)["ENGINE"] == "whisper"
    assert mounts(pod.spec["containers"][0])["/models"] is True
    assert not list(violations(pod))
    assert not list(kubernetes_schemas.errors(pod.owner, kubernetes_schemas.NEWEST))


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("catalogue", ROOT / "charts/catalogue.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_chart_knows_the_catalogue_of_today() -> None:
    script = _script()
    assert script.TARGET.read_text() == script.text(), "it has grown old: run `make manifests`"


@pytest.mark.parametrize("entry", read_catalogue().models, ids=lambda each: each.name)
def test_every_model_of_the_catalogue_can_be_named(entry: Any) -> None:
    pod = pod_of({"models": [{"name": entry.name}]})
    assert environment(pod)["ENGINE"] == entry.engine
    assert settings(pod)


def test_notes_say_how_a_failed_fetch_is_found() -> None:
    notes = render({"pools": {"named": PARAKEET}}).notes
    (line,) = [each for each in notes.splitlines() if "grep -A" in each and "fetch-" in each]
    words = shlex.split(line)
    assert words[:3] == ["kubectl", "-n", NAMESPACE]
    assert "scripta/pool=named" in words
    assert "fetch-" not in render().notes


@pytest.mark.parametrize(
    ("values", "models"),
    [
        ({}, "moonshine-tiny-en"),
        ({"pools": {"a": PARAKEET}}, "parakeet-tdt-0.6b-v3,moonshine-tiny-en"),
        (
            {"pools": {"a": {"engine": "whisper,moonshine", "model": "here:in/small,"}}},
            "small,moonshine-tiny-en",
        ),
        ({"pools": {"a": {**PARAKEET, "replicas": 0, "autoscaling": {"mode": "none"}}}}, None),
        ({"pools": {"a": {"engine": "mock"}}}, None),
    ],
)
def test_helm_test_asks_for_each_model_that_is_served(values: Values, models: str | None) -> None:
    command = render(values).pod("test").spec["containers"][0]["command"]
    assert command[-2] == (models or "moonshine-tiny-en")


def test_helm_test_expects_english_of_those_alone_that_speak_it() -> None:
    for name, words in (("gigaam-v3", ""), ("parakeet-tdt-0.6b-v3", "it was the best of times")):
        release = render({"transcriber": {"models": [{"name": name}]}})
        assert release.pod("test").spec["containers"][0]["command"][5] == words
