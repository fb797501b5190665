"""Clients of Vosk's server and of Wyoming's protocol on the whole system, on ports of their own.

They speak at the same time, so that the module takes as long as one of them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from killed import ENV, heard_while_killed
from prometheus_client.parser import text_string_to_metric_families
from recordings import beckett, shipped_path, words
from vendors import Found, Heard, of, run, started
from websockets.asyncio.client import connect

from scripta_local.ports import free_port
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WAV = shipped_path("beckett.wav")
MOST_ERRORS = 0.12
CHUNKS_BEFORE = 28
"""Messages of a tenth of a second before the client says ``reset``, soon behind "failed"."""
CLIENTS: dict[str, dict[str, Any]] = {
    "vosk": {"finalize": CHUNKS_BEFORE / 10 - 0.05, "query": {"words": "true"}},
    "wyoming": {},
}


class Ports:
    """A system with a port for each of the two dialects."""

    def __init__(self) -> None:
        self._ports = {"vosk": free_port(), "wyoming": free_port()}
        variables = {f"{name.upper()}_PORT": str(port) for name, port in self._ports.items()}
        self.stack = Stack(restart=False, env={**ENV, **variables})

    def url(self, name: str) -> str:
        return f"{'ws' if name == 'vosk' else 'tcp'}://127.0.0.1:{self._ports[name]}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ports() -> AsyncIterator[Ports]:
    there = Ports()
    async with there.stack:
        yield there


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(ports: Ports) -> dict[str, Heard]:
    found = await asyncio.gather(
        *(run(name, "live", ports.url(name), WAV, **options) for name, options in CLIENTS.items())
    )
    return dict(zip(CLIENTS, found, strict=True))


@pytest.mark.parametrize("name", CLIENTS)
async def test_client_hears_the_words(heard: dict[str, Heard], name: str) -> None:
    client = heard[name]
    assert client.errors() == []
    assert beckett().error_rate(client.words()) <= MOST_ERRORS, client.words()
    assert any(client.interims())


async def test_each_message_of_vosk_has_one_reply(heard: dict[str, Heard]) -> None:
    """Guards clients in lockstep: a reply too many is taken for that to the next message."""
    last = heard["vosk"].messages()[-1]
    assert "text" in last
    assert heard["vosk"].closed()[0] == 1000
    reset = heard["vosk"].messages()[CHUNKS_BEFORE]  # the reply to the one behind these chunks
    assert reset["text"].endswith("ever failed")
    times = [word for each in heard["vosk"].messages() for word in each.get("result", ())]
    assert [word["word"] for word in times] == heard["vosk"].words().split()
    assert all(0 <= word["start"] < word["end"] <= beckett().seconds for word in times)


async def test_pieces_of_wyoming_come_to_the_transcript(heard: dict[str, Heard]) -> None:
    client = heard["wyoming"]
    assert client.problems() == []
    assert words("".join(client.interims())) == words(client.words())
    (whole,) = client.messages("transcript")
    assert words(whole["text"]) == words(client.words())


async def test_wyoming_describes_what_is_served(ports: Ports) -> None:
    client = await run("wyoming", "describe", ports.url("wyoming"), WAV)
    assert client.problems() == []
    (info,) = client.messages("info")
    (program,) = info["asr"]
    assert [model["name"] for model in program["models"]] == ["moonshine-tiny-en"]
    assert program["models"][0]["languages"] == ["en"]


async def test_vosk_is_served_by_path_too_and_its_port_by_any_path(ports: Ports) -> None:
    for url in (f"{ports.stack.url.replace('http', 'ws')}/vosk", f"{ports.url('vosk')}/any"):
        async with connect(url) as socket:
            await socket.send(bytes(320))
            assert json.loads(await socket.recv()) == {"partial": ""}
            await socket.send('{"eof" : 1}')
            assert json.loads(await socket.recv()) == {"text": ""}


async def test_port_of_vosk_serves_nothing_else(ports: Ports) -> None:
    async with httpx.AsyncClient() as client:
        url = ports.url("vosk").replace("ws", "http")
        answer = await client.get(f"{url}/metrics")
    assert answer.status_code == 426


async def test_each_counts_under_its_own_name(ports: Ports, heard: dict[str, Heard]) -> None:
    """Guards what an operator sees of one protocol, whatever transport it comes by."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{ports.stack.url}/metrics")).text
    values = {
        (sample.name, sample.labels.get("dialect"), sample.labels.get("code")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    for name in CLIENTS:
        assert values["scripta_gateway_connections_opened_total", name, None] >= 1
        assert values["scripta_gateway_closes_total", name, "1000"] >= 1
    assert values["scripta_gateway_connections_opened_total", "native", None] == 0


async def test_bytes_that_are_no_event_are_told_so_and_hurt_nobody(ports: Ports) -> None:
    port = int(ports.url("wyoming").rpartition(":")[2])
    for junk in (b"GET / HTTP/1.1\r\n\r\n", b"{" * 70_000, b'{"type":"x","payload_length":9e9}\n'):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(junk)
        async with asyncio.timeout(10):
            line = json.loads(await reader.readline())
            body = json.loads(await reader.readexactly(line["data_length"]))
            assert line["type"] == "error"
            assert body["code"] == "bad_request"
            assert await reader.read() == b""
        writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def killed() -> Found:
    """What each client hears whose transcriber is killed in mid-sentence."""
    there = Ports()
    async with there.stack as stack:
        clients = {
            name: started(name, "live", there.url(name), WAV, hold=True, **options)
            for name, options in CLIENTS.items()
        }
        return await heard_while_killed(stack, clients)


@pytest.mark.parametrize("name", CLIENTS)
async def test_transcriber_that_dies_is_not_noticed(
    heard: dict[str, Heard], killed: Found, name: str
) -> None:
    """Guards each client's words, and its connection, while another transcriber takes over."""
    client = of(killed, name)
    assert client.errors() == []
    assert client.words().split() == heard[name].words().split()
