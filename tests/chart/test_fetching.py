"""The containers that fetch a pool's models, as processes: up to words, and what a person reads
of a model that does not come."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import http.server
import os
import resource
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from native import transcribe
from recordings import beckett, shipped_path, text_of
from whisper_base import join_whisper_base

from scripta_local.broker import Broker

from .rendering import Object, Pod, Values, render
from .running import LocalPod

pytestmark = [pytest.mark.chart, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PROBES = ("startupProbe", "readinessProbe")
CONTENT = bytes(range(256)) * 8_000
"""2 MB, which no engine would load."""
RIGHT = hashlib.sha256(CONTENT).hexdigest()
WRONG = "0" * 64


class _Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; breaks off the answers that are to be broken."""

    asked: list[str]
    broken: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path in self.broken:
            self.broken.remove(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:100_000])
            self.close_connection = True
            return
        with suppress(BrokenPipeError, ConnectionResetError):
            super().do_GET()

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


@dataclass
class Source:
    """Where models are fetched from.

    Attributes:
        url: Its address.
        asked: Paths that were asked for.
        broken: Paths of which the next answer breaks off.
    """

    url: str
    asked: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


@contextmanager
def serving(folder: Path) -> Iterator[Source]:
    """Serves a folder on loopback."""
    source = Source("")
    handler = type("Handler", (_Files,), {"asked": source.asked, "broken": source.broken})
    make = functools.partial(handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), make)
    source.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield source
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a container has ended.

    Attributes:
        code: Its exit code.
        message: What `kubectl describe pod` shows of it.
        log: What `kubectl logs` shows.
    """

    code: int
    message: str
    log: str


async def run(container: Object, folder: Path, limit: Callable[[], None] | None = None) -> Ended:
    """Runs the container that fetches a model, with a folder in the place of its volume."""
    message = folder.parent / f"message-{container['name']}"
    local = {"/models": str(folder), container["terminationMessagePath"]: str(message)}
    program, *words = container["command"]
    for there, here in local.items():
        words = [word.replace(f"={there}", f"={here}") for word in words]
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name(program)),
        *words,
        env={each["name"]: each["value"] for each in container.get("env", [])}
        | {"PATH": os.environ["PATH"]},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        preexec_fn=limit,
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    said = message.read_text() if message.exists() else ""
    return Ended(process.returncode or 0, said, output.decode())


def pod_of(pool: Values) -> Pod:
    return render({"pools": {"named": pool}}).pod("transcriber-named")


def fetch_of(source: Source, checksum: str = RIGHT, path: str = "house") -> Object:
    """Returns the container that fetches a model of one file."""
    model = {
        "name": "house",
        "engine": "sherpa",
        "source": f"{source.url}/{path}",
        "sha256": [f"model.onnx={checksum}"],
    }
    (container,) = pod_of({"models": [model]}).spec["initContainers"]
    assert isinstance(container, dict)
    return container


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    """A server with a model of one file."""
    folder = tmp_path / "served/house"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(CONTENT)
    with serving(folder.parent) as server:
        yield server


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """What takes the place of the pods' volume."""
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker() as process:
        yield process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(broker: Broker) -> AsyncIterator[LocalPod]:
    async with LocalPod(render().pod("gateway"), broker.url) as pod:
        for probe in PROBES:
            await pod.passes(probe)
        yield pod


async def test_named_model_is_fetched_loaded_and_heard(
    gateway: LocalPod, broker: Broker, volume: Path, request: pytest.FixtureRequest
) -> None:
    """From one line of values to words: Whisper base, by the checksums of the catalogue."""
    base = join_whisper_base(request.config.cache.mkdir("models"))
    with serving(base) as source:
        model = {"name": "whisper-base", "source": source.url}
        pod = pod_of({"models": [model], "startupSeconds": 120})
        (container,) = pod.spec["initContainers"]
        ended = await run(container, volume)
        assert ended.code == 0, ended.log
    async with LocalPod(pod, broker.url, {"/models": volume}) as transcriber:
        for probe in PROBES:
            await transcriber.passes(probe)
        listed = (await gateway.get("/v1/models")).json()
        assert "whisper-base" in {each["id"] for each in listed["data"]}
        url = f"ws://127.0.0.1:{gateway.ports['http']}/ws"
        heard = await transcribe(url, beckett(), model="whisper-base", language="en")
        tried = await asyncio.to_thread(try_languages, volume.parent, url, "whisper-base", "de,en")
    assert beckett().error_rate(text_of(heard.finals)) < 0.2
    assert tried == [
        "whisper-base, de: it was heard to its end.",
        "whisper-base, en: the words are right.",
    ]


def try_languages(folder: Path, url: str, model: str, languages: str) -> list[str]:
    """Returns what the release's test writes of a model; there is no other pool to be tried."""
    (folder / "speech.py").write_text(render().one("ConfigMap", "test")["data"]["speech.py"])
    audio = shipped_path("two_cities.wav")
    program = f"""
import pathlib, speech
audio = pathlib.Path({str(audio)!r}).read_bytes()
spoken = speech.languages_by_model({url!r}, 30)
for language in speech.chosen(spoken[{model!r}], {languages.split(",")!r}):
    speech.try_language(audio, {url!r}, 60, {model!r}, language)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.splitlines()


async def test_transcriber_without_its_model_is_not_ready_and_says_what_is_missing(
    broker: Broker, volume: Path
) -> None:
    """Guards a pool that takes sessions before it can serve them."""
    pod = pod_of({"models": [{"name": "whisper-base"}]})
    async with LocalPod(pod, broker.url, {"/models": volume}) as transcriber:
        with pytest.raises(AssertionError, match=f"there is no folder {volume}/whisper-base"):
            await transcriber.passes("startupProbe")
        assert transcriber.exit_code == 3


async def test_download_that_breaks_off_goes_on(source: Source, volume: Path) -> None:
    source.broken.append("/house/model.onnx")
    ended = await run(fetch_of(source), volume)
    assert (ended.code, ended.message) == (0, ""), ended.log
    assert (volume / "house/model.onnx").read_bytes() == CONTENT
    assert len(source.asked) == 2


async def test_wrong_checksum_is_told_in_the_message(source: Source, volume: Path) -> None:
    ended = await run(fetch_of(source, WRONG), volume)
    assert ended.code == 4
    assert ended.message.startswith(f"house: model.onnx from {source.url}/house/model.onnx is not")
    assert WRONG in ended.message
    assert RIGHT in ended.message
    assert ended.message.count("\n") == 1
    assert not (volume / "house").exists()


async def test_file_that_is_not_there_is_told_in_the_message(source: Source, volume: Path) -> None:
    ended = await run(fetch_of(source, path="horse"), volume)
    assert ended.code == 3
    assert ended.message.startswith(f"house: {source.url}/horse/model.onnx does not exist (404)")


async def test_full_disk_is_told_in_the_message(source: Source, volume: Path) -> None:
    """A limit on the size of files stands for the disk, which not every user may make."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    ended = await run(fetch_of(source), volume, limit)
    assert ended.code == 5
    assert ended.message.startswith(f"house: {volume} has no room")
    assert "in Kubernetes: a larger volume" in ended.message


async def test_pods_that_start_together_fetch_once(source: Source, volume: Path) -> None:
    """Guards a volume that the pods of a pool share."""
    both = await asyncio.gather(*(run(fetch_of(source), volume) for _ in range(2)))
    assert [ended.code for ended in both] == [0, 0], both
    assert source.asked == ["/house/model.onnx"]


async def test_model_that_is_there_needs_no_network(tmp_path: Path, volume: Path) -> None:
    """Guards a restart of the node while the source is away."""
    served = tmp_path / "served/house"
    served.mkdir(parents=True)
    (served / "model.onnx").write_bytes(CONTENT)
    with serving(served.parent) as source:
        container = fetch_of(source)
        assert (await run(container, volume)).code == 0
    again = await run(container, volume)
    assert (again.code, again.message) == (0, ""), again.log


async def test_mirror_of_the_values_stands_for_the_source(source: Source, volume: Path) -> None:
    model: dict[str, Any] = {
        "name": "house",
        "engine": "sherpa",
        "source": "https://models.invalid/house",
        "sha256": [f"model.onnx={RIGHT}"],
    }
    pool = {"models": [model], "modelFetch": {"mirror": f"{source.url}/mirror"}}
    (container,) = pod_of(pool).spec["initContainers"]
    ended = await run(container, volume)
    assert ended.code == 3, ended.log
    assert source.asked == ["/mirror/models.invalid/house/model.onnx"]
