"""What a gateway exports of what its clients do, and that nothing they do adds a series."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
from outside import wav
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.base import Capabilities, Segment, Segmentation, Transcript

pytestmark = pytest.mark.asgi

Until = Callable[..., Awaitable[None]]
SECOND = bytes(2 * SAMPLE_RATE)
RAW = "encoding=linear16"
ENGINE_SECONDS = 0.15


class Slow:
    """An engine that takes its time, and fails on messages of 14 bytes."""

    name = "slow"
    capabilities = Capabilities(frozenset({"en"}), Segmentation.MESSAGE, interims=False)

    def load(self) -> None: ...

    def transcribe(self, segment: Segment) -> Transcript:
        time.sleep(ENGINE_SECONDS)
        if segment.message_bytes == 14:
            raise RuntimeError("the engine fell over")
        return Transcript("word")

    draft = transcribe


async def samples(server: Any) -> dict[str, float]:
    """Returns what a gateway exports: ``name`` or ``name/value/…`` of its labels."""
    text = (await server.get("/metrics")).text
    return {
        "/".join([sample.name.removeprefix("scripta_gateway_"), *sample.labels.values()]):
            sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }  # fmt: skip


class Change:
    """How far the metrics of a gateway have moved since it was made."""

    def __init__(self, server: Any, before: dict[str, float]) -> None:
        self._server, self._before = server, before

    @classmethod
    async def of(cls, server: Any) -> Change:
        return cls(server, await samples(server))

    async def by(self, series: str) -> float:
        return (await samples(self._server))[series] - self._before[series]

    async def until(self, series: str, value: float, until: Until) -> None:
        async def is_so() -> bool:
            return await self.by(series) == value

        await until(is_so)


async def transcripts(client: Any, count: int = 1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            frame = json.loads(await client.recv())
            found += [frame] if frame["status"] == "transcript" else []
    return found


async def closed(client: Any) -> int:
    with suppress(ConnectionClosed):
        async with asyncio.timeout(10):
            while True:
                await client.recv()
    return int(client.close_code)


async def test_session_that_is_ended_or_left_in_good_form_is_completed(
    server: Any, mock_worker: Any, until: Until
) -> None:
    change = await Change.of(server)
    async with server.connect() as client:
        await client.send(b"ab")
        await client.send('{"type":"end"}')
        assert await closed(client) == 1000
    async with server.connect() as client:
        await client.send(b"ab")
        await transcripts(client)
    async with server.connect() as client:
        client.transport.write(b"\x88\x80\0\0\0\0")  # a closing frame without a code
        await closed(client)
    await change.until("sessions_ended_total/completed", 3, until)
    assert await change.by("sessions_opened_total") == 3
    assert await change.by("closes_total/1000/native") == 2
    assert await change.by("closes_total/1005/native") == 1
    assert await change.by("connections_opened_total/native") == 3
    assert await change.by("messages_total") == await change.by("finals_total") == 2


async def test_session_whose_client_vanishes_is_abandoned_when_nobody_comes_back(
    start_server: Any, mock_worker: Any, until: Until
) -> None:
    server = await start_server(resume_seconds=0.5)
    change = await Change.of(server)
    for query in ("", "events=true"):
        client = await server.connect(query)
        await client.send(b"ab")
        await client.recv()
        client.transport.abort()
    await change.until("closes_total/1006/native", 2, until)
    await change.until("sessions_ended_total/abandoned", 2, until)


async def speak(client: Any) -> None:
    """Sends the first audio; returns when it is accepted."""
    await client.send(b"ab")
    while '"status":"received"' not in await client.recv():
        pass


async def test_session_that_is_taken_up_again_has_not_ended(
    server: Any, mock_worker: Any, until: Until
) -> None:
    change = await Change.of(server)
    client = await server.connect("events=true")
    token = json.loads(await client.recv())["token"]
    await speak(client)
    client.transport.abort()
    await change.until("closes_total/1006/native", 1, until)
    async with server.connect(f"events=true&resume={token}&from=0") as client:
        await client.send('{"type":"end"}')
        assert await closed(client) == 1000
    await change.until("sessions_ended_total/completed", 1, until)
    assert await change.by("sessions_ended_total/abandoned") == 0
    assert await change.by("sessions_resumed_total") == 1


async def test_session_that_another_gateway_takes_up_is_superseded_here(
    start_server: Any, redis: Any, until: Until
) -> None:
    """Both gateways of this process share their counters: only one of them ends a session."""
    first, second = await start_server(), await start_server()
    change = await Change.of(first)
    async with first.connect("events=true") as client:
        token = json.loads(await client.recv())["token"]
        await speak(client)
        async with second.connect(f"events=true&resume={token}&from=0"):
            assert await closed(client) == 1008
            await change.until("sessions_ended_total/superseded", 1, until)


@pytest.mark.parametrize(
    ("query", "message", "code", "outcome"),
    [("", bytes(14), 1011, "failed"), ("language=sv", b"ab", 1008, "rejected")],
)
async def test_session_that_can_not_be_served_is_failed_or_rejected(
    server: Any,
    start_worker: Any,
    until: Until,
    query: str,
    message: bytes,
    code: int,
    outcome: str,
) -> None:
    await start_worker(engine=Slow())
    change = await Change.of(server)
    async with server.connect(query) as client:
        await client.send(message)
        assert await closed(client) == code
    await change.until(f"sessions_ended_total/{outcome}", 1, until)
    assert await change.by(f"closes_total/{code}/native") == 1


async def test_silent_session_is_idle(start_server: Any, redis: Any, until: Until) -> None:
    server = await start_server(idle_timeout_seconds=0.3)
    change = await Change.of(server)
    async with server.connect() as client:
        assert await closed(client) == 1001
    await change.until("sessions_ended_total/idle", 1, until)


async def test_gateway_that_goes_away_hands_its_sessions_over(
    start_server: Any, redis: Any, until: Until
) -> None:
    server = await start_server()
    change = await Change.of(server)
    assert (await samples(server))["draining"] == 0
    async with server.connect() as plain, server.connect("events=true") as able:
        draining = asyncio.create_task(server.hub.drain())
        assert await closed(plain) == await closed(able) == 1012
        await asyncio.wait_for(draining, 10)
    await change.until("sessions_ended_total/handed_over", 2, until)
    assert (await samples(server))["draining"] == 1


async def test_open_connections_and_sessions_are_seen(
    start_server: Any, redis: Any, until: Until
) -> None:
    server = await start_server(resume_seconds=30)
    change = await Change.of(server)
    async with server.connect(), server.connect("events=true") as able:
        await change.until("connections/native", 2, until)
        await speak(able)
        able.transport.abort()
        await change.until("connections/native", 1, until)
        assert (await samples(server))["sessions"] == 2  # one waits for its client


async def test_latency_of_a_final_is_what_its_client_sees(
    server: Any, start_worker: Any, until: Until
) -> None:
    await start_worker(engine=Slow())
    change = await Change.of(server)
    waited = 0.0
    async with server.connect(RAW) as client:
        for _ in range(3):
            sent = time.perf_counter()
            await client.send(SECOND)
            await transcripts(client)
            waited += time.perf_counter() - sent
    await change.until("final_latency_seconds_count/native", 3, until)
    total = await change.by("final_latency_seconds_sum/native")
    # It lies within what the client sees, and the engine's time within it.
    assert 3 * ENGINE_SECONDS <= total <= waited
    parts = {
        part: await change.by(f"latency_part_seconds_sum/{part}/final")
        for part in ("append", "queue", "decode", "commit", "relay")
    }
    assert 3 * ENGINE_SECONDS <= parts["decode"] <= total
    assert sum(parts.values()) == pytest.approx(total)
    assert await change.by("finals_total") == 3
    assert await change.by("audio_seconds_total") == pytest.approx(3)


async def test_finals_of_a_file_are_counted_and_not_timed(
    server: Any, mock_worker: Any, until: Until
) -> None:
    change = await Change.of(server)
    async with server.connect(RAW) as client:
        for _ in range(10):
            await client.send(SECOND)
        await transcripts(client, 10)
    await change.until("finals_total", 10, until)
    timed = await change.by("final_latency_seconds_count/native")
    assert await change.by("finals_untimed_total/ahead") == 10 - timed
    assert timed <= 6  # five seconds of audio, and what the clock allows meanwhile


async def test_time_that_a_client_is_held_back_is_counted_while_it_lasts(
    start_server: Any, scribe: Any, until: Until
) -> None:
    server = await start_server(backlog_seconds=35)
    change = await Change.of(server)
    async with server.connect(RAW) as client:
        for _ in range(36):
            await client.send(SECOND)

        async def is_held_back() -> bool:
            return await change.by("backpressure_seconds_total") >= 1

        await until(is_held_back)
        now = await samples(server)
        assert now["audio_lag_seconds/max"] == now["audio_lag_seconds/p50"] >= 35
        await scribe.take()
        await scribe.work(until_seq=36)

        async def has_caught_up() -> bool:
            return (await samples(server))["audio_lag_seconds/max"] == 0

        await until(has_caught_up)


async def test_fleet_and_broker_are_told_while_they_are_seen(
    server: Any, mock_worker: Any, until: Until
) -> None:
    async def is_told() -> bool:
        return "scripta_broker_memory_bytes" in await samples(server)

    await until(is_told)
    now = await samples(server)
    assert now["scripta_broker_memory_bytes"] > 0
    assert now["scripta_broker_memory_limit_bytes"] == 0
    assert "scripta_demand_sessions/default" in now
    server.hub.fleet.seen_at -= 11
    now = await samples(server)
    gone = {name.partition("/")[0] for name in now if name.startswith("scripta_")}
    assert not gone & {"scripta_demand_sessions", "scripta_broker_memory_bytes"}
    assert now["scripta_fleet_observation_age_seconds"] >= 10


async def test_nothing_that_clients_do_adds_a_series(
    server: Any, mock_worker: Any, until: Until
) -> None:
    async def settled() -> bool:
        return (await samples(server)).get("sessions") == 0

    async def is_told() -> bool:
        return "scripta_broker_memory_bytes" in await samples(server)

    await until(is_told)
    before = (await samples(server)).keys()
    for code in (1000, 1001, 1002, 1003, 1011, 3000, 3999, 4000, 4999):
        async with server.connect("interim_results=true") as client:
            await client.send(b"ab")
            await client.send("{}")
            await client.send('{"type":"nonsense"}')
            await client.send(b"")
            await client.close(code, "x" * 100)
    for query in ("encoding=x", "model=none", "language=xx-" + "y" * 9, "sample_rate=-1", "a=b"):
        with suppress(InvalidStatus):
            client = await server.connect(query)
            client.transport.abort()
    for path in ("/nonsense", "/ws", "/page/none", "/metrics?x=1"):
        await server.get(path)
    await until(settled)
    assert (await samples(server)).keys() == before


@pytest.mark.parametrize("path", ["/v1/listen?multichannel=true", "/v1/audio/transcriptions"])
async def test_finals_of_a_recording_count_once_its_answer_is_sent(
    server: Any, mock_worker: Any, until: Until, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """Guards recordings that were told, and counted nowhere; and voices that are apart."""
    caplog.set_level(logging.INFO)
    change = await Change.of(server)
    voices = 2 if "multi" in path else 1
    async with httpx.AsyncClient(trust_env=False, base_url=f"http://{server.address}") as client:
        recording = wav(3, voices)
        form = {"files": {"file": ("a.wav", recording)}, "data": {"model": "whisper-1"}}
        answer = await client.post(path, **(form if "audio" in path else {"content": recording}))
    assert answer.status_code == 200
    await until(lambda: "connection closed" in caplog.messages)
    (record,) = [each for each in caplog.records if each.message == "connection closed"]
    told = await change.by("finals_total")
    assert told == await change.by("finals_untimed_total/kept") > 0
    logged = {name: getattr(record, name) for name in ("finals", "channels", "audio_seconds")}
    assert logged == {"finals": told, "channels": voices, "audio_seconds": 3.0 * voices}
    assert await change.by("audio_seconds_total") == pytest.approx(3 * voices)


@pytest.mark.parametrize("path", ["/v1/listen", "/v1/audio/transcriptions"])
async def test_a_recording_with_too_many_words_for_one_answer_is_refused(
    server: Any, mock_worker: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("scripta_gateway.calls.call.MAX_ANSWER_WORDS", 5)
    change = await Change.of(server)
    async with httpx.AsyncClient(trust_env=False, base_url=f"http://{server.address}") as client:
        recording = wav(3)
        form = {"files": {"file": ("a.wav", recording)}, "data": {"model": "whisper-1"}}
        answer = await client.post(path, **(form if "audio" in path else {"content": recording}))
    assert answer.status_code == 413
    assert "more than 5 words" in answer.text
    assert await change.by("bounds_hit_total/answer_words") == 1
    assert await change.by("finals_total") == 0
