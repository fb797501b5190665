"""A fresh release: ready in time, passes its own test, hears words, shows what it does."""

from __future__ import annotations

import asyncio
import re

import httpx
import jiwer
import pytest

from chaos.compare import compare
from chaos.sessions import Heard, Plan, speak

from .figures import Figures
from .inside.takes import CHUNK_SECONDS, Takes
from .live import Reference
from .release import BROKER, COMPONENTS, CONTAINERS, GATEWAY, TRANSCRIBER, Release
from .settings import E2ESettings
from .speech import voices

pytestmark = pytest.mark.e2e

READY_SECONDS = 120.0
TEST_SECONDS = 240.0
WORD_ERRORS = 0.25


def test_install_is_ready_within_two_minutes(
    installed: tuple[Release, float], settings: E2ESettings
) -> None:
    _, seconds = installed
    assert seconds < settings.limit(READY_SECONDS)


def test_no_container_was_started_again(release: Release) -> None:
    restarts = {pod.name: pod.restarts for part in COMPONENTS for pod in release.pods(part)}
    assert not any(restarts.values()), restarts


def test_own_test_of_the_chart_passes(release: Release, settings: E2ESettings) -> None:
    assert "Succeeded" in release.helm.test(settings.limit(TEST_SECONDS))


def test_gateway_is_ready_and_says_so_from_outside(release: Release) -> None:
    with release.address() as address:
        answer = httpx.get(f"http://{address}/readyz", timeout=10.0)
    assert answer.json() == {"status": "ok"}


def test_words_come_back_from_outside(
    release: Release, reference: Reference, settings: E2ESettings, figures: Figures
) -> None:
    voice, heard = voices()[0], Heard()
    with release.address() as address:
        takes = Takes(voice.pcm, 1, lambda: True)
        plan = Plan(voice.name, takes, CHUNK_SECONDS)
        asyncio.run(speak(f"ws://{address}/ws", plan, heard, settings.limit(60.0)))
    said = reference.plan(0, 1, CHUNK_SECONDS)
    assert compare(said, reference.expected(0, 1), heard).differences == ()
    if settings.hears_words:
        text = " ".join(final["text"] for final in heard.finals)
        errors = jiwer.wer(plain(voice.text), plain(text))
        figures.note("word errors", f"{errors:.1%} of {voice.name}")
        assert errors < WORD_ERRORS


def plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z']+", text.lower()))


@pytest.mark.parametrize("component", [GATEWAY, TRANSCRIBER])
def test_pods_serve_metrics(release: Release, component: str) -> None:
    for pod in release.pods(component):
        assert f"scripta_{component}_" in release.metrics(pod)


@pytest.mark.parametrize("component", [GATEWAY, TRANSCRIBER, BROKER])
def test_container_is_not_root_and_can_not_write_to_its_root(
    release: Release, component: str
) -> None:
    pod = release.pods(component)[0]
    shell = "id -u; if echo x > /written 2>/dev/null; then echo written; else echo refused; fi"
    container = CONTAINERS[component]
    output = release.kubectl.run("exec", pod.name, "-c", container, "--", "sh", "-c", shell)
    user, root = output.split()
    assert int(user) > 0
    assert root == "refused"


@pytest.mark.parametrize("component", [GATEWAY, TRANSCRIBER, BROKER])
def test_pod_has_no_token_and_no_privileges(release: Release, component: str) -> None:
    for pod in release.pods(component):
        spec = pod.manifest["spec"]
        sources = [s for v in spec["volumes"] for s in v.get("projected", {}).get("sources", ())]
        assert not [source for source in sources if "serviceAccountToken" in source]
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"]["drop"] == ["ALL"]
