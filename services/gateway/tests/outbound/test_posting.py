"""Results that are sent to a callback, over real sockets: live and of recordings."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from outside import Asked, Outside, give, outside, wav
from websockets.asyncio.client import connect

from scripta_common.errors import NoCapacity
from scripta_gateway.dialects.asks import Callback
from scripta_gateway.outbound import posting
from scripta_gateway.outbound.posting import Poster
from scripta_gateway.outbound.resolving import Resolver
from scripta_gateway.outbound.targets import Allowlist
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.metrics import Posted

pytestmark = pytest.mark.asgi

Until = Callable[..., Awaitable[None]]


async def take(_: Outside, asked: Asked) -> None:
    """A host that takes all it is sent."""
    await asked.answer()


async def serve(start_server: Any, host: Outside) -> Any:
    there = f"127.0.0.1:{host.port}"
    return await start_server(callback_hosts=there, fetch_hosts=there)


async def post(server: Any, callback: str, **request: Any) -> httpx.Response:
    query = {"callback": callback, **request.pop("query", {})}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        return await client.post(f"http://{server.address}/v1/listen", params=query, **request)


def poster(host: Outside) -> Poster:
    allowed = Allowlist.parse("CALLBACK_HOSTS", f"127.0.0.1:{host.port}")
    return Poster(allowed, Resolver().resolve)


async def test_a_recording_is_answered_at_once_and_its_transcript_is_posted(
    redis: object, start_server: Any, mock_worker: Any, until: Until
) -> None:
    async with outside(take) as host:
        server = await serve(start_server, host)
        receipt = await post(server, host.url("/done?x=1"), content=wav(2))
        assert receipt.status_code == 200
        await until(lambda: host.asked)
    (asked,) = host.asked
    assert (asked.method, asked.path) == ("POST", "/done?x=1")
    assert asked.headers["content-type"] == "application/json"
    answer = json.loads(asked.body)
    assert receipt.json() == {"request_id": answer["metadata"]["request_id"]}
    assert answer["results"]["channels"][0]["alternatives"][0]["transcript"]


async def test_a_recording_is_fetched_and_put(
    redis: object, start_server: Any, until: Until, start_worker: Any
) -> None:
    """Guards the answer at once: it comes before anybody transcribes."""

    async def script(host: Outside, asked: Asked) -> None:
        await (give if asked.method == "GET" else take)(host, asked)

    async with outside(script) as host:
        server = await serve(start_server, host)
        receipt = await post(
            server,
            host.url("/put"),
            json={"url": host.url("/a.wav")},
            query={"callback_method": "PUT"},
        )
        assert set(receipt.json()) == {"request_id"}
        await start_worker()
        await until(lambda: len(host.asked) == 2)
    assert [asked.method for asked in host.asked] == ["GET", "PUT"]
    assert json.loads(host.asked[1].body)["metadata"]["duration"] == 2.0


async def test_what_is_wrong_with_a_request_is_its_answer(
    redis: object, start_server: Any, mock_worker: Any
) -> None:
    """Guards mistakes that a client would else learn of from nobody."""
    async with outside(take) as host:
        server = await serve(start_server, host)
        for request in (
            {"content": b"fLaC" + bytes(1000)},
            {"json": {"url": "http://127.0.0.1:1/"}},
            {"json": {"uri": "x"}},
            {"content": wav(1), "query": {"callback_method": "get"}},
        ):
            answer = await post(server, host.url(), **request)
            assert (answer.status_code, bool(answer.json().get("err_msg"))) == (400, True), request
    assert host.asked == []


@pytest.mark.parametrize("callback", ["http://169.254.169.254/", "ws://127.0.0.1/", "x"])
async def test_a_callback_that_is_not_allowed_is_refused(
    redis: object, start_server: Any, callback: str
) -> None:
    server = await start_server(callback_hosts="a.example")
    assert (await post(server, callback, content=wav(1))).status_code == 400


async def test_callbacks_are_off_unless_they_are_switched_on(server: Any) -> None:
    answer = await post(server, "http://a.example/", content=wav(1))
    assert answer.status_code == 400
    assert "CALLBACK_HOSTS" in answer.json()["err_msg"]


async def test_a_live_client_has_each_message_posted_in_order(
    redis: object, start_server: Any, mock_worker: Any, until: Until
) -> None:
    """Guards order: the second message's target is slower than the others."""

    async def script(host: Outside, asked: Asked) -> None:
        if len(host.asked) == 2:
            await asyncio.sleep(0.3)
        await take(host, asked)

    async with outside(script) as host:
        server = await serve(start_server, host)
        query = httpx.QueryParams(
            {"encoding": "linear16", "sample_rate": "16000", "callback": host.url()}
        )
        url = f"ws://{server.address}/v1/listen?{query}"
        async with connect(url, proxy=None) as client:
            for _ in range(3):
                await client.send(bytes(32000))
            await client.send('{"type": "CloseStream"}')
            assert [message async for message in client] == []
        assert client.close_code == 1000
        await until(lambda: len(host.asked) >= 4)
    told = [json.loads(asked.body) for asked in host.asked]
    assert [message["type"] for message in told] == ["Results"] * 3 + ["Metadata"]
    assert [message["start"] for message in told[:3]] == [0.0, 1.0, 2.0]


async def test_a_target_that_fails_twice_gets_it_the_third_time(until: Until) -> None:
    async def script(host: Outside, asked: Asked) -> None:
        await asked.answer(500 if len(host.asked) < 3 else 200)

    retries, delivered = metrics.CALLBACK_RETRIES, metrics.CALLBACKS[Posted.DELIVERED]
    before = retries.value, delivered.value
    async with outside(script) as host:
        posts = poster(host).open(Callback(host.url()))
        await posts.put(b"{}")
        posts.end()
        await until(lambda: delivered.value == before[1] + 1)
    assert retries.value == before[0] + 2
    assert len(host.asked) == 3


@pytest.mark.parametrize("status", [404, 302, 401])
async def test_a_target_that_refuses_is_not_asked_again(
    until: Until, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def script(_: Outside, asked: Asked) -> None:
        await asked.answer(status, location="/elsewhere")

    async with outside(script) as host:
        posts = poster(host).open(Callback(host.url("/secret")))
        await posts.put(b'{"said": "secret"}')
        posts.end()
        await until(lambda: "callback ended" in caplog.messages)
    assert len(host.asked) == 1
    (record,) = [each for each in caplog.records if each.message == "callback given up"]
    assert (record.reason, record.host) == (str(status), "127.0.0.1")  # type: ignore[attr-defined]
    assert not [each for each in caplog.records if "secret" in str(each.__dict__)]


async def test_a_dead_target_is_tried_for_a_bounded_time_and_then_once_a_message(
    until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards a call whose target is gone for good: each message would wait as long."""
    monkeypatch.setattr(posting, "CALLBACK_SECONDS", 1.5)
    monkeypatch.setattr(posting, "CALLBACK_TRY_SECONDS", 0.5)

    async def script(host: Outside, asked: Asked) -> None:
        await asyncio.sleep(2)

    given_up = metrics.CALLBACKS[Posted.GIVEN_UP]
    before = given_up.value
    async with outside(script) as host:
        posts = poster(host).open(Callback(host.url()))
        for _ in range(3):
            await posts.put(b"{}")
        posts.end()
        await until(lambda: given_up.value == before + 3)
        assert len(host.asked) == 4


async def test_more_than_the_queue_waits_with_whoever_puts_it(until: Until) -> None:
    release = asyncio.Event()

    async def script(host: Outside, asked: Asked) -> None:
        await release.wait()
        await take(host, asked)

    async with outside(script) as host:
        posts = poster(host).open(Callback(host.url()))
        putting = asyncio.create_task(_put_many(posts, 100))
        await until(lambda: host.asked)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await asyncio.shield(putting)
        release.set()
        assert await putting == 100
        posts.end()
        await until(lambda: len(host.asked) == 100)


async def _put_many(posts: posting.Posts, count: int) -> int:
    for _ in range(count):
        await posts.put(b"{}")
    return count


async def test_what_waits_for_all_targets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "CALLBACK_BYTES", 10)
    async with outside(take) as host:
        sender = poster(host)
        sender.hold(11)
        with pytest.raises(NoCapacity):
            sender.check(Callback(host.url()))


async def test_a_drain_waits_for_what_is_in_line_and_gives_the_rest_up(
    caplog: pytest.LogCaptureFixture, until: Until
) -> None:
    async def script(host: Outside, asked: Asked) -> None:
        if asked.path == "/slow":
            await asyncio.sleep(5)
        else:
            await asyncio.sleep(0.3)
            await take(host, asked)

    delivered, given_up = (metrics.CALLBACKS[each] for each in Posted)
    before = delivered.value, given_up.value
    async with outside(script) as host:
        sender = poster(host)
        for path in ("/soon", "/slow"):
            posts = sender.open(Callback(host.url(path)))
            for _ in range(2):
                await posts.put(b"{}")
            posts.end()
        await until(lambda: len(host.asked) == 2)
        await sender.drain(1.0)
    assert (delivered.value, given_up.value) == (before[0] + 2, before[1] + 2)
    assert "callbacks given up" in caplog.messages


async def test_a_gateway_that_stops_posts_what_it_has(
    redis: object, start_server: Any, mock_worker: Any, until: Until
) -> None:
    async def script(host: Outside, asked: Asked) -> None:
        await asked.answer(500 if len(host.asked) < 2 else 200)

    async with outside(script) as host:
        server = await serve(start_server, host)
        assert (await post(server, host.url(), content=wav(1))).status_code == 200
        await until(lambda: host.asked)
        await server.shutdown()
        assert len(host.asked) == 2


async def test_a_recording_that_a_stopping_gateway_can_not_finish_is_said_to_be_lost(
    redis: object, start_server: Any, until: Until
) -> None:
    """Guards whoever was told that all is well, and waits for the callback."""

    async def script(host: Outside, asked: Asked) -> None:
        await (give if asked.method == "GET" else take)(host, asked)

    async with outside(script) as host:
        server = await serve(start_server, host)
        receipt = await post(server, host.url("/done"), json={"url": host.url("/a.wav")})
        await server.shutdown()
        (told,) = [asked for asked in host.asked if asked.path == "/done"]
    assert json.loads(told.body)["err_code"] == "SERVICE_UNAVAILABLE"
    assert json.loads(told.body)["request_id"] == receipt.json()["request_id"]


async def test_targets_that_are_dead_hold_up_no_other(
    until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards live calls whose target is well, beside many whose target is gone."""
    monkeypatch.setattr(posting, "CALLBACKS_AT_ONCE", 2)
    monkeypatch.setattr(posting, "CALLBACKS_FAILING", 1)
    monkeypatch.setattr(posting, "CALLBACK_TRY_SECONDS", 0.2)
    monkeypatch.setattr(posting, "CALLBACK_SECONDS", 3.0)

    async def script(host: Outside, asked: Asked) -> None:
        if asked.path == "/dead":
            await asyncio.sleep(5)
        await take(host, asked)

    async with outside(script) as host:
        sender = poster(host)
        for path in ("/dead",) * 8 + ("/well",):
            posts = sender.open(Callback(host.url(path)))
            for _ in range(5 if path == "/well" else 1):
                await posts.put(b"{}")
            posts.end()
        await until(lambda: [each.path for each in host.asked].count("/well") == 5)
        assert len(host.asked) < 20
        await sender.drain(0)
