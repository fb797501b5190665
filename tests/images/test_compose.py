"""`compose.yaml`: what it says, and all of it running, twice each."""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml
from native import transcribe
from recordings import beckett, text_of

from scripta_common.settings import CommonSettings
from scripta_gateway.settings import GatewaySettings
from scripta_local.broker import embedded_server
from scripta_transcriber.settings import TranscriberSettings

from .conftest import ROOT, SERVICES
from .containers import Images

pytestmark = pytest.mark.images

Until = Callable[..., Awaitable[None]]

FILE = ROOT / "compose.yaml"
SETTINGS: dict[str, type[CommonSettings]] = {
    "gateway": GatewaySettings,
    "transcriber": TranscriberSettings,
}
START_SECONDS = 60.0

# The health check calls valkey-cli, which the embedded broker comes without.
VALKEY = """\
FROM {base}
COPY --chmod=755 valkey-server valkey-cli /usr/local/bin/
"""
VALKEY_CLI = """\
#!/usr/bin/env python3
import os, socket
with socket.create_connection(("127.0.0.1", 6379), 2) as server:
    server.sendall(b"AUTH " + os.environ["VALKEYCLI_AUTH"].encode() + b"\\r\\nPING\\r\\n")
    answers = server.makefile("rb")
    answers.readline()
    print(answers.readline().decode().strip().removeprefix("+"))
"""
PASSWORD = "s3cr3t-s3cr3t"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file with every variable at its default, and a password."""
    text = re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", FILE.read_text())
    text = re.sub(r"\$\{BROKER_PASSWORD:\?[^}]+\}", PASSWORD, text)
    assert not re.search(r"(?m)^[^#]*(?<!\$)\$(?!\$)", text)
    return dict(yaml.safe_load(text.replace("$$", "$")))


def test_yamllint_has_nothing_to_say() -> None:
    rules = "{extends: default, rules: {document-start: disable, line-length: {max: 100}}}"
    done = subprocess.run(
        [Path(sys.prefix, "bin/yamllint"), "--strict", "-d", rules, FILE],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_every_container_is_locked_down(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"] == "unless-stopped"
        assert "container_name" not in service
        assert "privileged" not in service


def test_every_image_has_the_tag_of_this_version(compose: dict[str, Any]) -> None:
    for service in SERVICES:
        project = tomllib.loads((ROOT / "services" / service / "pyproject.toml").read_text())
        version = project["project"]["version"]
        assert compose["services"][service]["image"] == f"scripta-{service}:{version}"
    assert not compose["services"]["valkey"]["image"].endswith(":latest")


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_is_one_that_the_service_reads(
    compose: dict[str, Any], service: str
) -> None:
    known = {name.upper() for name in SETTINGS[service].model_fields}
    assert compose["services"][service]["environment"].keys() <= known


def test_broker_asks_for_the_password_of_the_services_and_shows_it_to_no_process(
    compose: dict[str, Any],
) -> None:
    """Guards a command line with the password, which everybody on the machine can read."""
    for service in SERVICES:
        url = compose["services"][service]["environment"]["REDIS_URL"]
        assert url == f"redis://:{PASSWORD}@valkey:6379/0"
    broker = compose["services"]["valkey"]
    assert set(broker["environment"].values()) == {PASSWORD}
    assert PASSWORD not in " ".join(broker["command"])
    assert "\nrequirepass $VALKEYCLI_AUTH\n" in broker["command"][-1]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_given_longer_than_its_drain_may_take(
    compose: dict[str, Any], service: str
) -> None:
    grace = int(compose["services"][service]["stop_grace_period"].removesuffix("s"))
    # A drain, and as long again for what it left open.
    assert grace > 2 * SETTINGS[service].model_fields["drain_seconds"].default


def test_only_the_gateway_is_reachable_and_from_this_machine(compose: dict[str, Any]) -> None:
    """A fixed port would forbid a second gateway."""
    ports = {name: service.get("ports") for name, service in compose["services"].items()}
    assert ports == {
        "gateway": ["127.0.0.1:8000-8009:8000"],
        "transcriber": None,
        "valkey": None,
    }


class Project:
    """The composed services, with two of each of ours."""

    def __init__(self, images: Images, folder: Path) -> None:
        if not shutil.which("podman-compose"):
            pytest.skip("podman-compose is not installed")
        self._podman = images.podman
        self.name = f"scripta-test-{secrets.token_hex(4)}"
        valkey = folder / "valkey"
        valkey.mkdir()
        shutil.copy(embedded_server(), valkey / "valkey-server")
        (valkey / "valkey-cli").write_text(VALKEY_CLI)
        (valkey / "Dockerfile").write_text(VALKEY.format(base=images.base))
        self._podman.call("build", "-t", "localhost/scripta-test-valkey", valkey, timeout=120)
        tag = images.names["gateway"].rpartition(":")[2]
        self._env = images.podman.env | {
            "BROKER_PASSWORD": PASSWORD,
            "GATEWAYS": "2",
            "TRANSCRIBERS": "2",
            "GATEWAY_PORTS": "",
            "TAG": tag,
            "VALKEY_IMAGE": "localhost/scripta-test-valkey",
        }
        network = f"{self.name}-try"
        self._podman.call("network", "create", network)
        tried = self._podman.attempt("run", "--rm", f"--network={network}", images.base, "true")
        self._podman.attempt("network", "rm", "--force", network)
        if tried.returncode != 0:
            pytest.skip(f"containers have no network here: {tried.stderr.strip()[-200:]}")

    def compose(self, *arguments: str) -> None:
        done = subprocess.run(
            ["podman-compose", "-p", self.name, "-f", str(FILE), *arguments],
            cwd=ROOT, env=self._env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def containers(self, service: str) -> list[dict[str, Any]]:
        names = self._podman.call(
            "ps", "--format={{.Names}}",
            f"--filter=label=io.podman.compose.project={self.name}",
            f"--filter=label=com.docker.compose.service={service}",
        )  # fmt: skip
        return [self._podman.inspect(name) for name in names.split()]

    def gateways(self) -> list[str]:
        """Where each gateway listens on this machine, as host:port."""
        bindings = [
            one["NetworkSettings"]["Ports"]["8000/tcp"][0] for one in self.containers("gateway")
        ]
        return [f"{one['HostIp']}:{one['HostPort']}" for one in bindings]

    def remove(self) -> None:
        self.compose("down", "-t", "10")
        self._podman.attempt("network", "rm", "--force", f"{self.name}_default")


@pytest.fixture
def project(images: Images, tmp_path: Path) -> Iterator[Project]:
    project = Project(images, tmp_path)
    try:
        project.compose("up", "-d")
        yield project
    finally:
        project.remove()


def ready(address: str) -> bool:
    with suppress(URLError, OSError), urlopen(f"http://{address}/readyz", timeout=2) as answer:
        return bool(answer.status == 200)
    return False


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_two_of_each_run_side_by_side(project: Project, until: Until) -> None:
    assert len(project.containers("transcriber")) == 2
    addresses = project.gateways()
    assert len(addresses) == 2
    for address in addresses:
        await until(lambda place=address: asyncio.to_thread(ready, place), START_SECONDS)
    sessions = await asyncio.gather(
        # The transcribers may load their models yet, and an upload waits for them.
        *(transcribe(f"ws://{address}/ws", beckett(), upload="true") for address in addresses)
    )
    for session in sessions:
        assert beckett().error_rate(text_of(session.finals)) < 0.2
    for container in (*project.containers("gateway"), *project.containers("transcriber")):
        assert container["HostConfig"]["ReadonlyRootfs"] is True
        assert not container["EffectiveCaps"]
