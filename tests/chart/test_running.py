"""The services, started as the chart starts them: probes, metrics, speech, and the end."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from certificates import Authority
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from starlette.routing import Route, WebSocketRoute

from scripta_common import keys
from scripta_common.tracing import Tracing
from scripta_gateway.app import create_app
from scripta_gateway.settings import GatewaySettings
from scripta_local.broker import Broker

from .environment import environment
from .rendering import Object, Release, default, render
from .running import LocalPod

pytestmark = [pytest.mark.chart, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
CLIENT_FACING = {"/", "/ws", "/v1", "/vosk", "/page", "/health"}
INSIDE = ("/metrics", "/config", "/livez", "/readyz")
SLOW_MACHINE = {"transcriber": {"startupSeconds": 120}}


@dataclass(frozen=True, slots=True)
class Running:
    """A release on this machine."""

    release: Release
    broker: Broker
    gateway: LocalPod
    transcriber: LocalPod


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A server with the configuration that the embedded broker gets."""
    text = render().one("ConfigMap", "broker")["data"]["valkey.conf"]
    folder = tmp_path_factory.mktemp("data")
    with Broker(config=text.replace("dir /data", f"dir {folder}")) as process:
        yield process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(broker: Broker) -> AsyncIterator[Running]:
    """One gateway and one transcriber, ready."""
    release = render(SLOW_MACHINE)
    async with (
        LocalPod(release.pod("gateway"), broker.url) as gateway,
        LocalPod(release.pod("transcriber"), broker.url) as transcriber,
    ):
        for pod in (gateway, transcriber):
            for probe in PROBES:
                await pod.passes(probe)
        yield Running(release, broker, gateway, transcriber)


async def answer(pod: LocalPod, probe: str) -> int:
    """Returns the HTTP status that a probe gets now."""
    asked = pod.container[probe]["httpGet"]
    return (await pod.get(asked["path"], port=asked["port"])).status_code


async def test_pods_become_ready_by_their_probes(running: Running) -> None:
    for pod in (running.gateway, running.transcriber):
        assert [await answer(pod, probe) for probe in PROBES] == [200, 200, 200]


async def test_probes_name_the_port_that_the_service_listens_on(running: Running) -> None:
    for pod in (running.gateway, running.transcriber):
        named = {port["name"] for port in pod.container["ports"]}
        assert {pod.container[probe]["httpGet"]["port"] for probe in PROBES} <= named
        told = {
            entry["value"]
            for entry in pod.container["env"]
            if entry["name"] in ("APP_PORT", "ADMIN_PORT", "HEALTH_PORT")
        }
        assert told == {str(port["containerPort"]) for port in pod.container["ports"]}


async def test_liveness_asks_for_no_broker_and_readiness_does(running: Running) -> None:
    """Guards a broker's outage against costing every connection and lease."""
    running.broker.pause()
    try:
        for pod in (running.gateway, running.transcriber):
            assert await answer(pod, "livenessProbe") == 200
            assert await answer(pod, "readinessProbe") == 503
    finally:
        running.broker.resume()
    for pod in (running.gateway, running.transcriber):
        await pod.passes("readinessProbe")


async def test_broker_runs_with_the_configuration_of_the_chart(running: Running) -> None:
    with Redis.from_url(running.broker.url, decode_responses=True) as client:
        found = client.config_get("maxmemory*")
    assert found["maxmemory-policy"] == "noeviction"
    assert int(found["maxmemory"]) == 400 * 1024 * 1024
    assert default("broker.embedded.maxMemory") == "400mb"


async def test_what_is_exposed_exists_and_what_is_inside_is_not_exposed(running: Running) -> None:
    paths = {each["path"] for each in default("gateway.exposedPaths")}
    assert paths == CLIENT_FACING
    for path in ("/", "/health"):
        assert (await running.gateway.get(path)).status_code == 200
    for path in INSIDE:
        answer = await running.gateway.get(path, port="admin")
        assert answer.status_code == 200, "the test names a wrong path"
        assert not any(_exposes(each, path) for each in default("gateway.exposedPaths"))


async def test_paths_of_every_dialect_are_exposed() -> None:
    """Guards a dialect that works everywhere but behind an Ingress."""
    settings = GatewaySettings(vosk_port=2700)
    app = create_app(settings, "gateway", Tracing())
    spoken = {
        route.path
        for route in app.routes
        if isinstance(route, WebSocketRoute)
        or (isinstance(route, Route) and "POST" in (route.methods or ()))
    }
    assert spoken >= {"/ws", "/vosk", "/v1/realtime", "/v1/listen"}
    for path in spoken - {"/{path:path}"}:
        assert any(_exposes(each, path) for each in default("gateway.exposedPaths")), path


async def test_page_loads_through_what_is_exposed(running: Running) -> None:
    """Guards a page whose own files the Ingress would not let through."""
    page = await running.gateway.get("/", headers={"Accept": "text/html"})
    assets = [
        each for each in re.findall(r'(?:src|href)="([^"#:]+)"', page.text) if each.strip("/")
    ]
    assert assets
    for asset in assets:
        path = asset if asset.startswith("/") else f"/{asset}"
        assert (await running.gateway.get(path)).status_code == 200
        assert any(_exposes(each, path) for each in default("gateway.exposedPaths")), asset


async def series(pod: LocalPod) -> dict[str, set[str]]:
    """Returns the label names of every series that a pod exports now."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(await pod.metrics()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


async def test_pods_export_metrics_where_prometheus_is_sent(running: Running) -> None:
    assert "scripta_gateway_sessions" in await series(running.gateway)
    assert "scripta_transcriber_slots" in await series(running.transcriber)
    for pod in (running.gateway, running.transcriber):
        assert pod.pod.annotations["prometheus.io/path"] == "/metrics"


async def test_autoscalers_ask_for_what_is_exported(running: Running) -> None:
    """Guards an HPA that shows <unknown>, or a KEDA that never sees a session."""
    exported = await series(running.gateway)
    modes: list[dict[str, Any]] = [
        {
            "gateway": {"autoscaling": {"mode": "metric"}},
            "transcriber": {"autoscaling": {"mode": "metric"}},
        },
        {
            "transcriber": {"autoscaling": {"mode": "keda"}},
            "keda": {"source": "prometheus", "prometheusAddress": "http://p"},
        },
    ]
    asked = [each for values in modes for each in _asked(render(values))]
    assert {name for name, _ in asked} == {"scripta_demand_sessions", "scripta_gateway_sessions"}
    for name, labels in asked:
        assert labels - {"namespace"} <= exported[name]


async def test_keda_reads_the_stream_that_the_services_use(running: Running) -> None:
    values = {"transcriber": {"autoscaling": {"mode": "keda"}}, "pools": {"big": {}}}
    streams = {
        each["spec"]["triggers"][0]["metadata"]["stream"]
        for each in render(values).all("ScaledObject")
    }
    assert streams == {keys.assign("default"), keys.assign("big")}
    with Redis.from_url(running.broker.url, decode_responses=True) as client:
        assert client.type(keys.assign("default")) in ("stream", "none")


async def helm_test(running: Running, folder: Path, **changes: str) -> list[tuple[int, str]]:
    """Runs the containers of the test pod one after the other; returns how each ended."""
    release = running.release
    script = release.one("ConfigMap", "test")["data"]["speech.py"]
    (folder / "speech.py").write_text(script)
    service = release.one("Service", "gateway")
    scheme = "wss" if environment(running.release.pod("gateway"))["TLS_CERT_FILE"] else "ws"
    address = f"{scheme}://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}/ws"
    local = {
        "python": sys.executable,
        "/test/speech.py": str(folder / "speech.py"),
        "/speech/speech.wav": str(folder / "speech.wav"),
        address: f"{scheme}://127.0.0.1:{running.gateway.ports['http']}/ws",
    }
    ended = []
    for container in release.pod("test").containers:
        command = [changes.get(word) or local.get(word, word) for word in container["command"]]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        async with asyncio.timeout(150):
            output, _ = await process.communicate()
        ended.append((process.returncode or 0, output.decode()))
    return ended


async def test_helm_test_hears_the_words(running: Running, tmp_path: Path) -> None:
    fetched, streamed = await helm_test(running, tmp_path)
    assert fetched == (0, "")
    assert streamed[0] == 0, streamed[1]
    assert "it was the best of times" in streamed[1]
    assert "moonshine-tiny-en, en: the words are right." in streamed[1]


async def test_helm_test_fails_if_a_model_of_the_values_is_not_served(
    running: Running, tmp_path: Path
) -> None:
    """Guards a pool that serves another model than it was asked for, or none."""
    _, streamed = await helm_test(running, tmp_path, **{"moonshine-tiny-en": "whisper-base"})
    assert streamed[0] != 0
    assert "The model whisper-base is not served" in streamed[1]


async def test_helm_test_fails_on_other_words(running: Running, tmp_path: Path) -> None:
    expected = {"it was the best of times": "call me ishmael"}
    _, streamed = await helm_test(running, tmp_path, **expected)
    assert streamed[0] != 0
    assert "Expected 'call me ishmael'" in streamed[1]


async def test_helm_test_fails_without_a_gateway(running: Running, tmp_path: Path) -> None:
    nowhere = {
        f"ws://{running.release.one('Service', 'gateway')['metadata']['name']}:80/ws": "ws://127.0.0.1:9/ws"
    }
    _, streamed = await helm_test(running, tmp_path, **nowhere)
    assert streamed[0] != 0


@pytest.mark.parametrize("admin_port", [8001, 0])
async def test_gateway_speaks_tls_up_to_its_pod(
    running: Running, tmp_path: Path, admin_port: int
) -> None:
    """Guards probes and the release's test against a gateway that speaks otherwise than they."""
    authority = Authority()
    authority.issue("talk-scripta-gateway").write(tmp_path)
    tls = {"tls": {"existingSecret": "any"}, "settings": {"adminPort": admin_port}}
    release = render({"gateway": tls})
    mounted = {"/etc/scripta/tls": tmp_path}
    async with LocalPod(release.pod("gateway"), running.broker.url, mounted) as gateway:
        for probe in PROBES:
            await gateway.passes(probe)
        there = dataclasses.replace(running, release=release, gateway=gateway)
        _, streamed = await helm_test(there, tmp_path)
        assert streamed[0] == 0, streamed[1]


@pytest.mark.parametrize("component", ["gateway", "transcriber"])
async def test_pod_ends_by_itself_within_its_grace(broker: Broker, component: str) -> None:
    """Guards against SIGKILL, which would cost the sessions a lease or the clients their 1012."""
    values = {"transcriber": {"engine": "mock"}}
    async with LocalPod(render(values).pod(component), broker.url) as pod:
        for probe in PROBES:
            await pod.passes(probe)
        await pod.stop()
        # uvicorn ends, when all is done, by the signal that it was stopped with.
        assert pod.exit_code in (0, -signal.SIGTERM)


def _exposes(rule: Object, path: str) -> bool:
    """Whether an exposed path lets another one through, as Ingress and HTTPRoute match it."""
    if rule["type"] == "Exact":
        return bool(rule["path"] == path)
    prefix = rule["path"].rstrip("/")
    return path == prefix or path.startswith(f"{prefix}/")


def _asked(release: Release) -> Iterator[tuple[str, set[str]]]:
    """Yields the metrics, each with the labels it is asked by, of all autoscalers."""
    for each in release.all("HorizontalPodAutoscaler"):
        for metric in each["spec"]["metrics"]:
            match metric:
                case {"pods": {"metric": {"name": name}}}:
                    yield name, set()
                case {"external": {"metric": {"name": name, "selector": selector}}}:
                    yield name, set(selector["matchLabels"])
    for each in release.all("ScaledObject"):
        for trigger in each["spec"]["triggers"]:
            if query := trigger["metadata"].get("query"):
                name, labels = re.fullmatch(r"max\((\w+)\{(.*)\}\)", query).groups()  # type: ignore[union-attr]
                yield name, set(re.findall(r"(\w+)=", labels))
