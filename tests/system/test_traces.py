"""A session is one trace, from the client's own span to the socket, whoever transcribes it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from collector import Collector, SpanSeen, collector
from native import Talk, decided, talk, transcribe
from recordings import two_cities
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from scripta_local.ports import free_port
from scripta_local.stack import Commands, Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
SENTENCES = two_cities().until(17.2)
NOT_WITHOUT_A_TARGET = ("opentelemetry.sdk.trace", "opentelemetry.exporter")
HIT = 15.0
"""A second within the second segment; the first one has been decided before."""


def traced(seen: Collector, **more: str) -> dict[str, str]:
    """Returns the environment of a system that sends its spans, and soon."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": seen.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "LOG_FORMAT": "json",
        "IDLE_FLUSH_SECONDS": "30",
        **more,
    }


def lines(stack: Stack, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stack.log_of(name)]


async def speak(session: Talk, *, until: float | None = None, start: float = 0.0) -> None:
    """Speaks a part of the sentences at twice the pace."""
    recording = SENTENCES if until is None else SENTENCES.until(until)
    size = SENTENCES.rate // 10 * 2
    pcm = recording.pcm[round(start * 10) * size :]
    for at in range(0, len(pcm), size):
        await session.send(pcm[at : at + size])
        await asyncio.sleep(0.05)


@pytest.fixture
def seen() -> Iterator[Collector]:
    with collector() as running:
        yield running


async def test_trace_holds_both_owners_of_a_session_whose_first_was_killed(
    seen: Collector,
) -> None:
    raw = {"encoding": "linear16", "sample_rate": SENTENCES.rate}
    async with Stack(restart=False, env=traced(seen)) as stack:
        async with talk(stack.ws_url, headers={"traceparent": TRACEPARENT}, **raw) as session:
            await speak(session, until=HIT)
            await seen.until(lambda: seen.of("utterance"))
            await stack.add_transcriber()
            await stack.kill_transcriber(0)
            await speak(session, start=HIT)
            await session.end()
        answered = session.socket.response
        opened, claimed = lines(stack, "gateway"), lines(stack, "transcriber-2")
    assert session.close_code == 1000
    finals = decided(session.finals)
    assert len(finals) >= 2

    (root,) = seen.of("session")
    assert (root.parent_id, root.resource["service.name"]) == (CALLER, "scripta-gateway")
    assert root.attributes["scripta.session"] == session.sid
    assert root.attributes["scripta.outcome"] == "completed"
    assert root.attributes["scripta.finals"] == len(finals)
    assert {span.trace_id for span in seen.spans} == {TRACE}
    assert answered is not None
    assert answered.headers["traceresponse"].split("-")[1:3] == [TRACE, root.span_id]

    # The killed owner's lease never ended; its utterance, and the link of the next one, name it.
    (lease,) = seen.of("lease")
    utterances = seen.of("utterance")
    assert [u.attributes["scripta.index"] for u in utterances] == [f["index"] for f in finals]
    first, *rest = utterances
    assert lease.links == ((TRACE, first.parent_id),)
    assert first.parent_id not in ("", lease.span_id)
    assert first.instance != lease.instance == lease.attributes["scripta.transcriber"]
    assert {u.parent_id for u in rest} == {lease.span_id}
    assert lease.parent_id == root.span_id
    assert (lease.attributes["scripta.epoch"], lease.attributes["scripta.how"]) == (2, "expired")

    for utterance, final in zip(utterances, finals, strict=True):
        check_utterance(utterance, final, seen)
        assert utterance.attributes["scripta.seconds"] == pytest.approx(
            final["end"] - final["start"], abs=0.01
        )
        (delivery,) = [d for d in seen.of("deliver") if (TRACE, utterance.span_id) in d.links]
        assert delivery.parent_id == root.span_id
        assert delivery.within(root)
        (commit,) = children(utterance, "commit", seen)
        assert delivery.end > commit.start
    for utterance in rest:
        assert utterance.within(lease)

    texts = " ".join(span.all_text for span in seen.spans)
    assert not [final["text"] for final in finals if final["text"][:12] in texts]
    for line in (*opened, *claimed):
        if line["message"] in ("connection opened", "connection closed", "session claimed"):
            assert (line["session"], line["trace_id"]) == (session.sid, TRACE)


def children(parent: SpanSeen, name: str, seen: Collector) -> list[SpanSeen]:
    return [span for span in seen.of(name) if span.parent_id == parent.span_id]


def check_utterance(utterance: SpanSeen, final: dict[str, Any], seen: Collector) -> None:
    (commit,) = children(utterance, "commit", seen)
    decodes = children(utterance, "decode", seen)
    assert len(decodes) == (1 if final["text"] else len(decodes))
    for decode in decodes:
        assert decode.attributes["scripta.engine"] == "moonshine"
        assert decode.within(utterance)
        assert decode.end <= commit.start
    assert commit.within(utterance)
    assert commit.end == utterance.end


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mocked() -> AsyncIterator[tuple[Stack, Collector]]:
    """A system with the mock engine and two gateways, for what needs no words."""
    with collector() as seen:
        async with Stack(engine="mock", env=traced(seen)) as stack:
            await stack.add_gateway()
            yield stack, seen


@pytest.mark.asyncio(loop_scope="module")
async def test_session_that_moves_to_another_gateway_stays_in_its_trace(
    mocked: tuple[Stack, Collector],
) -> None:
    stack, seen = mocked
    async with talk(stack.ws_url, events="true") as first:
        await first.send(bytes(3200))
        await first.until(lambda: first.finals)
        token = first.token
        first.socket.transport.abort()
    other = f"ws://127.0.0.1:{stack.gateway_ports[1]}/ws"
    async with talk(other, events="true", resume=token, **{"from": 1}) as second:
        await second.until(lambda: second.of("session"))
        assert second.of("session")[0]["resumed"]
        await second.end()

    def mine(name: str) -> list[SpanSeen]:
        return [s for s in seen.of(name) if s.attributes.get("scripta.session") == first.sid]

    await seen.until(lambda: len(mine("session")) == 2 and mine("lease"))
    begun, resumed = mine("session")
    assert begun.trace_id == resumed.trace_id
    assert resumed.links == ((begun.trace_id, begun.span_id),)
    assert resumed.instance != begun.instance
    assert (begun.events, resumed.events) == ((), ("resumed",))
    # The mock engine's messages are no utterances: no span for each of them.
    of_trace = sorted(s.name for s in seen.spans if s.trace_id == begun.trace_id)
    assert of_trace == ["lease", "session", "session"]


@pytest.mark.asyncio(loop_scope="module")
async def test_session_handed_off_has_both_leases_in_its_trace(
    mocked: tuple[Stack, Collector],
) -> None:
    stack, seen = mocked
    async with talk(stack.ws_url, headers={"traceparent": TRACEPARENT}) as session:
        await session.send(bytes(3200))
        await session.until(lambda: session.finals)
        await stack.add_transcriber()
        await stack.kill_transcriber(0, signal.SIGTERM)
        await seen.until(lambda: seen.of("lease", TRACE))
        await session.send(bytes(3200))
        await session.end()
    await seen.until(lambda: len(seen.of("lease", TRACE)) == 2)
    before, after = seen.of("lease", TRACE)
    assert (before.attributes["scripta.ending"], before.failed) == ("stopped", False)
    assert (after.attributes["scripta.how"], after.links) == (
        "handoff",
        ((TRACE, before.span_id),),
    )


@pytest.mark.asyncio(loop_scope="module")
async def test_refused_client_can_ask_about_its_request(mocked: tuple[Stack, Collector]) -> None:
    stack, seen = mocked
    trace = "a" * 31 + "1"
    traceparent = f"00-{trace}-{CALLER}-01"
    with pytest.raises(InvalidStatus) as refused:
        await connect(
            f"{stack.ws_url}?sample_rate=1", additional_headers={"traceparent": traceparent}
        )
    answer = refused.value.response
    request = answer.headers["scripta-request"]
    assert answer.status_code == 400
    assert answer.headers["traceresponse"].split("-")[1] == trace
    await seen.until(lambda: seen.of("session", trace))
    (span,) = seen.of("session", trace)
    assert span.failed
    assert span.attributes["scripta.request"] == request
    assert span.attributes["error.type"] == "bad_request"
    (line,) = [each for each in lines(stack, "gateway") if each.get("request") == request]
    assert (line["message"], line["trace_id"]) == ("client refused", trace)


@pytest.mark.asyncio(loop_scope="module")
async def test_client_that_does_not_want_its_trace_sampled_is_heeded(
    mocked: tuple[Stack, Collector],
) -> None:
    stack, seen = mocked
    trace = "b" * 32
    headers = {"traceparent": f"00-{trace}-{CALLER}-00"}
    async with talk(stack.ws_url, headers=headers) as session:
        await session.send(bytes(3200))
        await session.end()
    async with talk(stack.ws_url) as sampled:
        await sampled.send(bytes(3200))
        await sampled.end()
    await seen.until(
        lambda: any(s.attributes.get("scripta.session") == sampled.sid for s in seen.of("lease"))
    )
    assert not [span for span in seen.spans if span.trace_id == trace]
    (line,) = [
        each
        for each in lines(stack, "gateway")
        if each.get("session") == session.sid and each["message"] == "connection closed"
    ]
    assert line["trace_id"] == trace


async def test_nothing_of_tracing_is_loaded_or_sent_unless_it_is_asked_for(
    seen: Collector, tmp_path: Path
) -> None:
    """Guards a library that imports OpenTelemetry for us, and spans without a target."""
    watcher = Path(__file__).parents[1] / "support" / "opentelemetry_seen.py"

    def watched(service: str) -> tuple[str, ...]:
        return (sys.executable, str(watcher), str(tmp_path / service), f"scripta_{service}")

    commands = Commands(gateway=watched("gateway"), transcriber=watched("transcriber"))
    # The standard variables of neighbours in the pod, but no target.
    env = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_SERVICE_NAME": "speech"}
    async with Stack(engine="mock", commands=commands, env=env) as stack:
        async with talk(stack.ws_url, headers={"traceparent": TRACEPARENT}) as session:
            await session.send(bytes(3200))
            await session.end()
        assert session.socket.response is not None
        assert "traceresponse" not in session.socket.response.headers
    assert session.close_code == 1000
    for service in ("gateway", "transcriber"):
        imported = (tmp_path / service).read_text("utf-8").split()
        # redis-py and FastAPI look for the API, and redis-py for what it measures with.
        assert not [name for name in imported if name.startswith(NOT_WITHOUT_A_TARGET)]
    assert seen.requests == 0


async def test_collector_that_is_away_costs_a_line_and_nothing_else() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "LOG_FORMAT": "json",
    }
    async with Stack(env={"LOG_FORMAT": "json"}) as stack:
        expected = decided((await transcribe(stack.ws_url, SENTENCES)).finals)
    async with Stack(env=env) as stack:
        clock = asyncio.get_running_loop().time
        for _ in range(2):
            heard = await transcribe(stack.ws_url, SENTENCES)
            assert decided(heard.finals) == expected
        began = clock()
        await stack.stop()
        took = clock() - began
        for name in ("gateway", "transcriber-1"):
            messages = [line["message"] for line in lines(stack, name)]
            complaints = [m for m in messages if "span" in m.lower() or "export" in m.lower()]
            assert complaints.count("spans not exported") == 1, complaints
            assert set(complaints) <= {"spans not exported", "spans not flushed"}
    assert took < 15
