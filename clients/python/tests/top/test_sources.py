"""Both sources over real sockets: processes that export, and answers as Prometheus gives them."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from scripta_client.top.errors import NoMetrics
from scripta_client.top.prometheus import Prometheus
from scripta_client.top.samples import Kind
from scripta_client.top.scrape import Processes

pytestmark = pytest.mark.asgi

Answer = tuple[int, bytes]


@asynccontextmanager
async def serving(answer: Callable[[str], Answer | None]) -> AsyncIterator[str]:
    """Runs an HTTP server; without an answer it says nothing until the client goes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        found = answer(request.split(b" ")[1].decode())
        if found is None:
            await reader.read()
        else:
            status, body = found
            head = (
                f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


async def test_what_the_client_library_exports_is_read(http):
    registry = CollectorRegistry()
    Gauge("scripta_gateway_sessions", "Sessions.", registry=registry).set(3)
    refusals = Counter("scripta_gateway_refusals", "Refused.", ["reason"], registry=registry)
    refusals.labels('of "course"\n').inc(2)
    latency = Histogram("scripta_gateway_final_latency_seconds", "Latency.", registry=registry)
    latency.observe(0.3)
    async with serving(lambda _: (200, generate_latest(registry))) as url:
        frame = await Processes(http, [f"{url}/metrics"]).frame()
    [(name, scrape)] = frame.scrapes.items()
    assert name == urlsplit(url).netloc
    assert scrape.samples.kind is Kind.GATEWAY
    assert scrape.samples.value("scripta_gateway_sessions") == 3
    assert scrape.samples.value("scripta_gateway_refusals_total", reason='of "course"\n') == 2
    assert scrape.samples.value("scripta_gateway_final_latency_seconds_bucket", le="+Inf") == 1


async def test_each_process_that_does_not_answer_is_told_and_the_others_are_seen(http):
    good = b"scripta_transcriber_slots 4\n"
    with socket.create_server(("127.0.0.1", 0)) as unused:
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}"
    async with (
        serving(lambda _: (200, good)) as up,
        serving(lambda _: None) as silent,
        serving(lambda _: (404, b"")) as elsewhere,
        serving(lambda _: (200, b"<html>{no metrics}</html>")) as page,
        serving(lambda _: (200, b"go_goroutines 7\n")) as foreign,
    ):
        urls = [closed, up, silent, elsewhere, page, foreign]
        frame = await Processes(http, [f"{url}/metrics" for url in urls]).frame()
    assert [scrape.error for scrape in frame.scrapes.values()] == [
        "no connection",
        "",
        "no answer within 2 s",
        "no metrics here: a gateway has them on its ADMIN_PORT, if it has one",
        "what it exports are not metrics",
        "it is no service of Scripta",
    ]
    assert [bool(scrape.samples) for scrape in frame.scrapes.values()].index(True) == 1


def vector(*series: tuple[dict[str, str], float], at: float = 5000.0) -> Answer:
    found = [{"metric": labels, "value": [at, str(value)]} for labels, value in series]
    data = {"resultType": "vector", "result": found}
    return 200, json.dumps({"status": "success", "data": data}).encode()


def sessions(value: float, **labels: str) -> tuple[dict[str, str], float]:
    return {"__name__": "scripta_gateway_sessions", "job": "scripta", **labels}, value


async def test_prometheus_gives_processes_by_pod_and_those_it_can_not_reach(http):
    asked = []

    def answer(target: str) -> Answer:
        [query] = parse_qs(urlsplit(target).query)["query"]
        asked.append(query)
        if query.startswith("up"):
            return vector(({"pod": "gw-2", "instance": "10.0.0.2:8000"}, 0.0))
        return vector(
            sessions(3, pod="gw-1", instance="10.0.0.1:8000", namespace="speech"),
            sessions(4, instance="10.0.0.9:8000", namespace="speech"),
        )

    async with serving(answer) as url:
        prometheus = Prometheus(http, f"{url}/", "speech")
        now = await prometheus.frame()
        before = await prometheus.frame(ago=45.0)
    values = {
        name: scrape.samples and scrape.samples.value("scripta_gateway_sessions")
        for name, scrape in now.scrapes.items()
    }
    assert values == {"10.0.0.9:8000": 4, "gw-1": 3, "gw-2": None}
    assert (now.at, before.at) == (5000.0, 4955.0)
    assert asked[0] == '{__name__=~"scripta_.+",namespace="speech"}'
    assert asked[2] == asked[0] + " offset 45s"


async def test_pod_that_is_scraped_twice_counts_once(http):
    def answer(target: str) -> Answer:
        if "query=up" in target:
            return vector()
        return vector(*(sessions(3, pod="gw-1", instance="a", job=job) for job in ("one", "two")))

    async with serving(answer) as url:
        frame = await Prometheus(http, url, None).frame()
    assert frame.scrapes["gw-1"].samples.value("scripta_gateway_sessions") == 3


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (vector(), "Prometheus at .* has none of Scripta in the namespace speech"),
        (
            vector(sessions(1, namespace="a"), sessions(1, namespace="b")),
            "several namespaces: a, b; choose one with --namespace",
        ),
        (
            (400, b'{"status":"error","errorType":"bad_data","error":"what?"}'),
            r"refuses the query: what\?",
        ),
        ((503, b"Service Unavailable"), "answers HTTP 503"),
        ((200, b'{"status":"success"}'), "does not answer as Prometheus does"),
        ((200, b"[]"), "does not answer as Prometheus does"),
    ],
)
async def test_prometheus_that_is_of_no_use_says_why(http, answer, problem):
    async with serving(lambda _: answer) as url:
        with pytest.raises(NoMetrics, match=problem):
            await Prometheus(http, url, "speech").frame()
