"""The embedded broker's password: made once, kept in a Secret, and on no command line."""

from __future__ import annotations

import re
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import helm_python
import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as NotThereError
from redis.retry import Retry

from scripta_local.broker import embedded_server
from scripta_local.ports import free_port

from .cases import cases
from .environment import environment
from .kubernetes_api import serve_secrets
from .rendering import NAMESPACE, RELEASE, ROOT, SECRET, Release, Values, chart, read, render

pytestmark = pytest.mark.chart

NAME = "talk-scripta-broker-password"
OWN = {"broker": {"embedded": {"existingSecret": {"name": "mine", "key": "word"}}}}
WORD = "s3cr3t-s3cr3t"
KEDA = {"transcriber": {"autoscaling": {"mode": "keda"}}}
EXTERNAL = {
    "broker": {"embedded": {"enabled": False}, "external": {"url": "redis://h:6379/0"}},
    "keda": {"brokerAddress": "h:6379"},
}

Cluster = Callable[[Mapping[str, str]], helm_python.Config]
Until = Callable[..., Awaitable[None]]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Starts the API of a cluster that has the Secret with some data, or none; for Helm."""
    with ExitStack() as stack:

        def start(data: Mapping[str, str]) -> helm_python.Config:
            found = {key: b64encode(text.encode()).decode() for key, text in data.items()}
            secrets = {NAME: found} if data else {}
            address = stack.enter_context(serve_secrets(NAMESPACE, secrets))
            return helm_python.Config(kube_apiserver=address, namespace=NAMESPACE)

        yield start


def password(rendered: Mapping[str, str]) -> str:
    (secret,) = read(rendered[SECRET])
    assert secret["metadata"]["name"] == NAME
    return b64decode(secret["data"]["password"]).decode()


def keda_login(release: Release) -> list[Any]:
    triggers = release.one("ScaledObject", "transcriber")["spec"]["triggers"]
    return [each.get("authenticationRef") for each in triggers]


def test_password_is_made_by_chance_and_needs_no_escape_in_a_url() -> None:
    made = {password(chart().render({}, name=RELEASE, namespace=NAMESPACE)) for _ in range(5)}
    assert len(made) == 5
    assert all(len(each) == 32 and each.isalnum() and each.isascii() for each in made)


def test_upgrade_keeps_the_password_that_is_there(cluster: Cluster) -> None:
    """Guards sessions against an upgrade that would lock their pods out of the broker."""
    with cluster({"password": "as-before"}) as config:
        rendered = config.render(chart(), {}, name=RELEASE, namespace=NAMESPACE, is_upgrade=True)
    assert password(rendered) == "as-before"


@pytest.mark.parametrize("data", [{}, {"other": "x"}], ids=["no Secret", "a Secret without it"])
def test_cluster_that_has_none_gets_a_new_one(cluster: Cluster, data: Mapping[str, str]) -> None:
    with cluster(data) as config:
        rendered = config.render(chart(), {}, name=RELEASE, namespace=NAMESPACE, is_install=True)
    assert len(password(rendered)) == 32


@pytest.mark.parametrize("values", cases().values(), ids=cases())
def test_no_release_holds_a_secret_but_the_one_that_it_makes(values: Values) -> None:
    """Guards passwords of people's own against lying in the release."""
    release = render(values)
    embedded = dict(values).get("broker", {}).get("embedded", {})
    makes = embedded.get("enabled", True) and not embedded.get("existingSecret")
    assert [each["metadata"]["name"] for each in release.all("Secret")] == [NAME] * makes


@pytest.mark.parametrize(("values", "name", "key"), [({}, NAME, "password"), (OWN, "mine", "word")])
def test_broker_and_services_read_the_same_secret(values: Values, name: str, key: str) -> None:
    release = render(values)
    for component, variable in (
        *(("broker", "VALKEYCLI_AUTH"), ("broker", "REDISCLI_AUTH")),
        *(("gateway", "BROKER_PASSWORD"), ("transcriber", "BROKER_PASSWORD")),
    ):
        (container,) = release.pod(component).containers
        found = {each["name"]: each.get("valueFrom") for each in container["env"]}
        assert found[variable] == {"secretKeyRef": {"name": name, "key": key}}


def test_services_log_in_with_it() -> None:
    for component in ("gateway", "transcriber"):
        seen = environment(render().pod(component))
        assert seen["REDIS_URL"] == "redis://:s3cr3t@talk-scripta-broker:6379/0"


@pytest.mark.parametrize("values", cases().values(), ids=cases())
def test_no_command_line_has_a_password(values: Values) -> None:
    """Guards against ``$(…)``, which Kubernetes writes out on the command line."""
    for pod in render(values).pods():
        for container in pod.containers:
            words = [*container.get("command", ()), *container.get("args", ())]
            probes = [each["exec"]["command"] for each in _execs(container)]
            for word in [*words, *(word for probe in probes for word in probe)]:
                assert "$(" not in word
                assert "requirepass" not in word.partition("<<")[0]
                assert word not in ("-a", "--pass", "--askpass")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A broker that runs by its container's own command, and its port."""
    release, port = render(), free_port()
    (container,) = release.pod("broker").containers
    config = release.one("ConfigMap", "broker")["data"]["valkey.conf"]
    conf = tmp_path / "valkey.conf"
    conf.write_text(f"{config.replace('/data', str(tmp_path))}\nport {port}\n")
    (tmp_path / "valkey-server").symlink_to(embedded_server())
    secrets = {entry["name"]: WORD for entry in container["env"]}
    server = subprocess.Popen(
        [word.replace("/etc/valkey/valkey.conf", str(conf)) for word in container["command"]],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "LC_ALL": "C", **secrets},
        stdout=subprocess.DEVNULL,
    )
    yield server, port
    server.terminate()
    server.wait(10)


async def test_broker_asks_for_the_password(
    server: tuple[subprocess.Popen[bytes], int], until: Until
) -> None:
    """Guards a server that is open, and a shell before it that would keep the signals."""
    process, port = server
    with login(port) as client, Redis(port=port) as stranger:
        await until(lambda: _answers(client))
        assert client.info("server")["process_id"] == process.pid
        with pytest.raises(AuthenticationError):
            stranger.ping()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs Linux's /proc")
async def test_running_broker_shows_the_password_to_no_other_process(
    server: tuple[subprocess.Popen[bytes], int], until: Until
) -> None:
    process, port = server
    with login(port) as client:
        await until(lambda: _answers(client))
    shown = _command_line(process.pid)
    assert b"valkey-server" in shown
    assert WORD.encode() not in shown


def login(port: int) -> Redis:
    return Redis(port=port, password=WORD, retry=Retry(NoBackoff(), 0))


def _command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _answers(client: Redis) -> bool:
    with suppress(NotThereError):
        return bool(client.ping())
    return False


def _execs(container: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    found = (container.get(f"{name}Probe", {}) for name in ("startup", "readiness", "liveness"))
    yield from (probe for probe in found if "exec" in probe)


def test_keda_logs_in_with_what_the_chart_makes_for_it() -> None:
    """Guards an autoscaler that the password would make blind."""
    for values, name, key in (({}, NAME, "password"), (OWN, "mine", "word")):
        release = render({**values, **KEDA})
        (made,) = release.all("TriggerAuthentication")
        assert made["spec"] == {
            "secretTargetRef": [{"parameter": "password", "name": name, "key": key}]
        }
        assert keda_login(release) == [{"name": made["metadata"]["name"]}]


@pytest.mark.parametrize(
    ("values", "login"),
    [
        ({"keda": {"authenticationRef": "mine"}}, {"name": "mine"}),
        ({"keda": {"source": "prometheus", "prometheusAddress": "http://p"}}, None),
        (EXTERNAL, None),
    ],
)
def test_keda_gets_nothing_for_what_is_not_the_embedded_broker(
    values: Values, login: object
) -> None:
    release = render({**KEDA, **values})
    assert keda_login(release) == [login]
    assert not release.all("TriggerAuthentication")


def test_plain_manifests_ask_for_the_secrets_that_their_readme_makes() -> None:
    """Guards pods that wait for a Secret that nobody has told of, and a password in a file."""
    objects = [
        each
        for path in sorted((ROOT / "k8s/manifests").glob("*/scripta.yaml"))
        for each in read(path.read_text("utf-8"))
    ]
    asked = {
        (reference["name"], reference["key"])
        for each in objects
        if each["kind"] in ("Deployment", "StatefulSet")
        for container in each["spec"]["template"]["spec"]["containers"]
        for entry in container["env"]
        if (reference := entry.get("valueFrom", {}).get("secretKeyRef"))
    }
    readme = (ROOT / "k8s/README.md").read_text("utf-8")
    made = set(re.findall(r"create secret generic (\S+) --from-file=(\w+)=/dev/stdin", readme))
    assert asked == made == {("scripta-broker-password", "password"), ("scripta-broker", "url")}
    assert "Secret" not in {each["kind"] for each in objects}
