"""The suite of ``make e2e``, where there is no cluster: its sessions, counting and judgement.

The client runs as a local process out of the very file that is put into a pod, against the
system as local processes. A suite that finds nothing wrong would prove nothing, so each kind of
damage is done here once, and must be seen.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from forwarder import Forwarder

from e2e.bundle import client_zip
from e2e.inside.orders import Orders, Place
from e2e.live import ClientFailed, Outcome, Reference, record_reference, speak_through
from e2e.speech import voices
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SESSIONS = 3
LONGEST = 60.0
SPEED = 3.0
"""Faster than speech, to be over sooner; on a cluster sessions keep the pace of speech."""
LIMIT = 60.0
ROOT = Path(__file__).parents[2]
ALONE = """
import json
import sys


class Hider:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in lacking:
            raise ModuleNotFoundError(name)


lacking = set(json.loads(sys.argv[1]))
sys.meta_path.insert(0, Hider())
sys.path.insert(0, "alone.zip")
import e2e.inside.main
import scripta_client
print(scripta_client.__file__)
"""


class LocalSpeakers:
    """A client as a local process."""

    def __init__(self, command: list[str], output: Path, stop: Path) -> None:
        self._output = output
        self._stop = stop
        with output.open("wb") as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=file, cwd=output.parent)

    def lines(self) -> list[str]:
        text = self._output.read_text(errors="replace")
        if self._process.poll():
            raise ClientFailed(text[-3000:])
        # The last line may be on its way.
        return text[: text.rfind("\n") + 1].splitlines()

    def stop(self) -> None:
        self._stop.touch()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class LocalSite:
    """Starts clients as local processes, on what a pod would mount."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self.url = url
        self._count = 0
        self._zip = folder / "client.zip"
        self._zip.write_bytes(client_zip())
        self._voices = [folder / f"{voice.name}.pcm" for voice in voices()]
        for path, voice in zip(self._voices, voices(), strict=True):
            path.write_bytes(voice.pcm)

    def start(self, orders: Orders) -> LocalSpeakers:
        self._count += 1
        stop = self._folder / f"stop-{self._count}"
        place = Place(self.url, self._voices, stop)
        command = [sys.executable, str(self._zip), "speak"]
        command += [*orders.arguments(), *place.arguments()]
        return LocalSpeakers(command, self._folder / f"output-{self._count}", stop)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    env = {"IDLE_FLUSH_SECONDS": "10", "SLOTS": "16", "THREADS": "1"}
    async with Stack(transcribers=2, env=env) as stack:
        yield stack


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("e2e")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(stack: Stack, folder: Path) -> LocalSite:
    return LocalSite(folder, stack.ws_url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reference(site: LocalSite) -> Reference:
    return await asyncio.to_thread(record_reference, site, voices(), LONGEST, float)


def from_thread(work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Makes a disturbance of this loop one for the suite, which runs in a thread."""
    loop = asyncio.get_running_loop()
    return lambda: asyncio.run_coroutine_threadsafe(work(), loop).result(LIMIT)


async def disturbed(
    site: LocalSite,
    reference: Reference,
    work: Callable[[], Coroutine[Any, Any, None]],
    orders: Orders,
) -> Outcome:
    action = from_thread(work)
    return await asyncio.to_thread(speak_through, site, reference, action, orders)


async def test_killed_transcribers_lose_no_word_and_close_no_connection(
    site: LocalSite, stack: Stack, reference: Reference
) -> None:
    async def kill_each() -> None:
        for place in range(2):
            await stack.kill_transcriber(place)
            await stack.wait_ready()

    orders = Orders(SESSIONS, seconds=LONGEST, speed=SPEED)
    outcome = await disturbed(site, reference, kill_each, orders)
    assert outcome.differences == []
    assert outcome.closes == ()
    assert outcome.finals >= 2 * SESSIONS


async def test_stopped_gateway_closes_with_1012_and_the_client_comes_back(
    site: LocalSite, stack: Stack, reference: Reference
) -> None:
    async def stop_gateway() -> None:
        await stack.kill_gateway(signal.SIGTERM)

    orders = Orders(SESSIONS, kind="returning", seconds=LONGEST, speed=SPEED)
    outcome = await disturbed(site, reference, stop_gateway, orders)
    assert outcome.differences == []
    assert len(outcome.closes) == SESSIONS
    assert all("code 1012" in close for close in outcome.closes)


async def test_cut_connections_of_plain_sessions_are_seen_as_closed_and_as_words_lost(
    folder: Path, stack: Stack, reference: Reference
) -> None:
    async with Forwarder([stack.port]) as forwarder:

        async def cut() -> None:
            forwarder.cut()

        site = LocalSite(folder, forwarder.ws_url)
        outcome = await disturbed(
            site, reference, cut, Orders(SESSIONS, seconds=LONGEST, speed=SPEED)
        )
    assert len(outcome.closes) >= SESSIONS
    assert all("1006" in close for close in outcome.closes)
    assert outcome.differences


async def test_sessions_that_hear_other_words_than_the_reference_are_judged_so(
    site: LocalSite, reference: Reference
) -> None:
    """Guards the comparison: a word lost, one doubled and a shifted cut, one in each voice."""
    first, second, third = (list(reference.finals[voice.name]) for voice in voices())
    first[0] = {**first[0], "text": first[0]["text"] + " indeed"}
    second[0] = {**second[0], "text": second[0]["text"].partition(" ")[2]}
    third[0] = {**third[0], "end": third[0]["end"] + 0.032}
    finals = (tuple(first), tuple(second), tuple(third))
    names = (voice.name for voice in voices())
    bent = replace(reference, finals=dict(zip(names, finals, strict=True)))

    async def nothing() -> None:
        pass

    outcome = await disturbed(site, bent, nothing, Orders(SESSIONS, seconds=LONGEST, speed=SPEED))
    assert [(v.lost, v.doubled) for v in outcome.verdicts] == [(1, 0), (0, 1), (0, 0)]
    assert all(verdict.differences for verdict in outcome.verdicts)


async def test_sessions_that_end_before_the_disturbance_are_no_proof(
    site: LocalSite, reference: Reference
) -> None:
    orders = Orders(SESSIONS, seconds=1.0, speed=4.0)
    shortest = min(voice.seconds for voice in voices())

    async def too_long() -> None:
        await asyncio.sleep(max(voice.seconds for voice in voices()) / 4.0 + 3.0)

    assert shortest > 1.0
    with pytest.raises(AssertionError, match="too slow"):
        await disturbed(site, reference, too_long, orders)


async def test_client_that_fails_is_no_silent_success(site: LocalSite) -> None:
    broken = Orders(SESSIONS, kind="nobody")  # type: ignore[arg-type]
    with pytest.raises(ClientFailed, match="invalid choice"):
        await asyncio.to_thread(record_reference_with, site, broken)


def record_reference_with(site: LocalSite, orders: Orders) -> None:
    class Bent:
        def start(self, _: Orders) -> LocalSpeakers:
            return site.start(orders)

    record_reference(Bent(), voices(), 1.0, float)


async def test_reference_that_is_not_undisturbed_is_refused(folder: Path, stack: Stack) -> None:
    async with Forwarder([stack.port], allowance=400_000) as forwarder:
        site = LocalSite(folder, forwarder.ws_url)
        with pytest.raises(AssertionError, match="not heard well"):
            await asyncio.to_thread(record_reference, site, voices(), 20.0, float)


async def test_client_needs_nothing_but_what_is_in_the_gateways_image(folder: Path) -> None:
    """Guards a client that runs here and not in the pod: what the image lacks is hidden from it."""
    (folder / "alone.zip").write_bytes(client_zip())
    lock = (ROOT / "services/gateway/requirements.txt").read_text()
    there = set(re.findall(r"(?m)^([a-z0-9.-]+)==", lock))
    lacking = [
        module
        for module, distributions in packages_distributions().items()
        if module != "scripta_client"
        and not there & {re.sub(r"[-_.]+", "-", each).lower() for each in distributions}
    ]
    assert "pytest" in lacking
    command = [sys.executable, "-c", ALONE, json.dumps(lacking)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, cwd=folder
    )
    output, _ = await process.communicate()
    assert output.decode().strip().startswith("alone.zip"), output


async def test_client_and_voices_fit_into_objects_of_the_cluster() -> None:
    for content in (client_zip(), *(voice.pcm for voice in voices())):
        assert len(content) < 1_000_000
