"""What the vendors' clients do when their gateway goes, and the words that it costs them.

All speak at the same time when the first of two gateways is told to stop (SIGTERM), or is killed.
Guards the codes and reasons by which each dialect closes, and clients that could hang.
"""

from __future__ import annotations

import asyncio
import signal
import wave
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import soxr
from gateway_losses import CLIENTS, NO_FRAMES, OURS, Found, Place, Round, Tls, Went, undisturbed
from recordings import two_cities

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

RATE = 16_000
FAULTS = (signal.SIGTERM, signal.SIGKILL)
COME_BACK = (
    "deepgram-js",
    "livekit-deepgram",
    "pipecat-deepgram",
    "openai",
    "livekit-openai",
    "pipecat-openai",
    OURS,
)
MOST_AWAY = 7.0
"""Seconds; the slowest waits for one to five, and its connecting takes time here."""
SEAM = 1.0
"""Seconds in which a new connection hears the rest of a word, and what it makes of that."""
MOST_MISHEARD = 2


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One long sentence, in which hardly a word stands twice."""
    recording, path = two_cities(), tmp_path_factory.mktemp("audio") / "sentence.wav"
    part = recording.samples()[round(29.7 * recording.rate) : round(41.8 * recording.rate)]
    samples = soxr.resample(part.astype(np.float32), recording.rate, RATE)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes())
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gone(wav: Path, tls: Tls) -> dict[str, Found]:
    """What each client did when its gateway was told to stop, and when it was killed."""
    place = Place(wav, tls)
    async with place.stack as stack:
        await place.add_gateway()
        said = await undisturbed(place)
        stopped, killed = map(Round, FAULTS)
        async with asyncio.TaskGroup() as tasks:
            stopped.may_begin.set()
            first = tasks.create_task(stopped.run(place))
            await stopped.closed.wait()
            # Processes take their time to start, so they do while the others speak on.
            second = tasks.create_task(killed.run(place))
            await first
            await stack.wait_ready()
            killed.may_begin.set()
    found = {FAULTS[0].name: first.result(), FAULTS[1].name: second.result()}
    for clients in found.values():
        for each in clients.values():
            if isinstance(each, Went):
                each.lost = said.lost(each.text)
    return found


def of(gone: dict[str, Found], fault: signal.Signals, name: str) -> Went:
    found = gone[fault.name][name]
    if isinstance(found, str):
        pytest.skip(found)
    return found


def all_of(gone: dict[str, Found], fault: signal.Signals) -> dict[str, Went]:
    """Returns what all clients did that can be installed here."""
    return {name: each for name, each in gone[fault.name].items() if isinstance(each, Went)}


@pytest.mark.parametrize("fault", FAULTS)
async def test_nobody_hangs(gone: dict[str, Found], fault: signal.Signals) -> None:
    """Prints what each did, and the words lost by when they were said."""
    print("| Client | Closed with | Does | before | while it goes | while away | later |")
    for name, client in all_of(gone, fault).items():
        print(client.row(name))
    assert [name for name, client in all_of(gone, fault).items() if client.hung] == []


async def test_goodbye_says_to_come_back(gone: dict[str, Found]) -> None:
    """Guards the codes: 1000 and 1008 are for good, and 1011 would be the gateway's fault."""
    for name, client in all_of(gone, signal.SIGTERM).items():
        if name not in NO_FRAMES:
            reason = "" if name == OURS else "This gateway is going away; connect again."
            assert client.closed == (1012, reason), name


@pytest.mark.parametrize("name", list(CLIENTS))
async def test_words_that_were_said_before_the_goodbye_are_told(
    gone: dict[str, Found], name: str
) -> None:
    """Guards clients that begin anew elsewhere, or not at all."""
    client = of(gone, signal.SIGTERM, name)
    assert client.lost_between(0.0, client.gone_at - SEAM) <= MOST_MISHEARD, client


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", COME_BACK)
async def test_clients_that_can_come_back_do_and_hear_the_rest(
    gone: dict[str, Found], fault: signal.Signals, name: str
) -> None:
    client = of(gone, fault, name)
    assert client.away is not None, client
    assert client.away <= MOST_AWAY
    assert client.lost_between(client.back_at + SEAM, float("inf")) <= MOST_MISHEARD, client


@pytest.mark.parametrize("fault", FAULTS)
async def test_our_own_client_loses_nothing(gone: dict[str, Found], fault: signal.Signals) -> None:
    assert of(gone, fault, OURS).lost == []
