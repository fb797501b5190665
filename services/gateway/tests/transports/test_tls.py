"""TLS at the gateway's sockets: which certificate is shown, who gets in, what it may cost."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvloop
from certificates import Authority, Pair
from cryptography import x509
from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake

from scripta_gateway.bounds import Bound
from scripta_gateway.settings import GatewaySettings
from scripta_gateway.telemetry import metrics
from scripta_gateway.transports import securing, sockets, tls
from scripta_local.ports import free_port

pytestmark = pytest.mark.asgi

Until = Callable[..., Awaitable[None]]
MESSAGE = b"\0\0" * 1600


class Secured:
    """A gateway that speaks TLS, and the folder of its certificate."""

    def __init__(self, server: Any, folder: Path, authority: Authority) -> None:
        self.server = server
        self.folder = folder
        self.authority = authority
        self.port = int(server.address.rpartition(":")[2])

    def connect(self, path: str = "/ws", context: ssl.SSLContext | None = None) -> Any:
        return connect(
            f"wss://127.0.0.1:{self.port}{path}",
            proxy=None,
            ssl=context or self.authority.context(),
            max_queue=None,
        )

    async def get(self, path: str, context: ssl.SSLContext | None = None) -> httpx.Response:
        verify = context or self.authority.context()
        async with httpx.AsyncClient(trust_env=False, verify=verify) as client:
            return await client.get(f"https://127.0.0.1:{self.port}{path}")

    async def serial(self) -> int:
        """Returns the number of the certificate that a new connection sees."""
        _, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.authority.context()
        )
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.transport.abort()
        return x509.load_der_x509_certificate(shown).serial_number


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """The loop that gateways run on, which has a TLS of its own."""
    return uvloop.EventLoopPolicy()


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "LOOK_SECONDS", 0.05)


@pytest_asyncio.fixture
async def start(
    redis: object, start_server: Callable[..., Any], authority: Authority, tmp_path: Path
) -> Callable[..., Any]:
    """Starts a gateway with a certificate of the authority; arguments are settings."""

    async def secured(pair: Pair | None = None, **settings: Any) -> Secured:
        certificate, key = (pair or authority.issue()).write(tmp_path / "server")
        files = {"tls_cert_file": str(certificate), "tls_key_file": str(key)}
        server = await start_server(**{**files, **settings})
        return Secured(server, tmp_path / "server", authority)

    return secured


async def talk(client: ClientConnection) -> dict[str, Any]:
    """Sends some audio; returns the answer to it."""
    await client.send(MESSAGE)
    async with asyncio.timeout(10):
        while (frame := json.loads(await client.recv()))["status"] == "interim":
            pass
    return dict(frame)


async def test_page_sockets_and_recordings_are_served_by_tls(start: Any, mock_worker: Any) -> None:
    secured = await start()
    assert (await secured.get("/health")).status_code == 200
    async with secured.connect() as client:
        assert (await talk(client))["status"] == "received"
        assert client.transport.get_extra_info("ssl_object").selected_alpn_protocol() is None
    url = f"https://127.0.0.1:{secured.port}/v1/listen?encoding=linear16&sample_rate=16000"
    async with httpx.AsyncClient(verify=secured.authority.context(), trust_env=False) as http:
        answer = await http.post(url, content=MESSAGE * 10)
    assert answer.status_code == 200
    own = {"Origin": f"https://127.0.0.1:{secured.port}"}
    foreign = {"Origin": f"http://127.0.0.1:{secured.port}"}
    async with httpx.AsyncClient(verify=secured.authority.context(), trust_env=False) as http:
        health = f"https://127.0.0.1:{secured.port}/health"
        assert (await http.get(health, headers=own)).status_code == 200
        assert (await http.get(health, headers=foreign)).status_code == 403


async def test_client_that_ends_is_not_kept_waiting(start: Any, mock_worker: Any) -> None:
    """Guards goodbyes in TLS, for which a client would otherwise wait until it gives up."""
    secured = await start()
    loop = asyncio.get_running_loop()
    client = await secured.connect()
    await talk(client)
    began = loop.time()
    await client.send('{"type":"end"}')
    async for _ in client:
        pass
    await client.wait_closed()
    assert client.close_code == 1000
    assert loop.time() - began < securing.FAREWELL_SECONDS / 2


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_versions_are_refused_and_http_1_1_is_agreed_on(start: Any) -> None:
    secured = await start()
    context = secured.authority.context()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        await asyncio.open_connection("127.0.0.1", secured.port, ssl=context)
    context = secured.authority.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    _, writer = await asyncio.open_connection("127.0.0.1", secured.port, ssl=context)
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    assert writer.get_extra_info("ssl_object").version() == "TLSv1.2"
    writer.transport.abort()


@pytest.mark.parametrize("swap", ["in place", "by link"])
async def test_certificate_is_replaced_while_sessions_go_on(
    start: Any, mock_worker: Any, authority: Authority, tmp_path: Path, until: Until, swap: str
) -> None:
    """Guards renewals: no connection is cut, and the next one sees the new certificate."""
    first, second = authority.issue(), authority.issue(days=1.5)
    settings = {}
    link = tmp_path / "current"
    if swap == "by link":
        first.write(tmp_path / "one")
        link.symlink_to(tmp_path / "one")
        settings = {"tls_cert_file": f"{link}/tls.crt", "tls_key_file": f"{link}/tls.key"}
    secured = await start(first, **settings)
    assert await secured.serial() == first.serial
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(secured.connect()) for _ in range(20)]
        await asyncio.gather(*map(talk, clients))
        if swap == "by link":
            second.write(tmp_path / "two")
            (tmp_path / "next").symlink_to(tmp_path / "two")
            (tmp_path / "next").rename(link)
        else:
            second.write(secured.folder)
        expiry = metrics.TLS_EXPIRY._value
        before = expiry.get()
        await until(lambda: expiry.get() > before)
        assert await secured.serial() == second.serial
        answers = await asyncio.gather(*map(talk, clients))
        assert {answer["status"] for answer in answers} <= {"received", "transcript"}


async def test_pair_that_does_not_fit_replaces_nothing_until_it_does(
    start: Any, authority: Authority, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    """Guards files that are written one after the other, and those that are simply wrong."""
    first, second = authority.issue(), authority.issue()
    secured = await start(first)
    failing = metrics.TLS_FILES_FAILING._value
    with caplog.at_level(logging.ERROR):
        (secured.folder / "tls.crt").write_bytes(second.certificate)
        await until(lambda: failing.get() == 1)
    errors = [each.message for each in caplog.records if each.levelno == logging.ERROR]
    assert errors == ["certificate refused, the former stays"]
    assert second.key.decode() not in caplog.text
    assert await secured.serial() == first.serial
    (secured.folder / "tls.key").write_bytes(second.key)
    await until(lambda: failing.get() == 0)
    assert await secured.serial() == second.serial
    for wrong in (b"", b"no PEM", second.key):
        (secured.folder / "tls.crt").write_bytes(wrong)
        await until(lambda: failing.get() == 1)
        second.write(secured.folder)
        await until(lambda: failing.get() == 0)
    (secured.folder / "tls.key").unlink()
    await until(lambda: failing.get() == 1)
    assert await secured.serial() == second.serial


@pytest.mark.parametrize("auth", ["required", "optional"])
async def test_certificates_of_clients(
    start: Any, authority: Authority, tmp_path: Path, auth: str
) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_bytes(authority.certificate)
    secured = await start(tls_client_ca_file=str(ca), tls_client_auth=auth)
    good = authority.issue("client").write(tmp_path / "good")
    wrong = Authority("Another").issue("client").write(tmp_path / "wrong")
    late = authority.issue("client", days=-0.5).write(tmp_path / "late")
    assert (await secured.get("/health", authority.context(good))).status_code == 200
    async with secured.connect(context=authority.context(good)):
        pass
    for refused in (wrong, late):
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            await secured.get("/health", authority.context(refused))
    if auth == "optional":
        assert (await secured.get("/health")).status_code == 200
        return
    with pytest.raises((httpx.TransportError, ssl.SSLError)):
        await secured.get("/health")
    with pytest.raises((OSError, InvalidHandshake, EOFError)):  # whatever it hears first
        await secured.connect()


async def test_operators_port_and_wyoming_speak_no_tls(start: Any) -> None:
    """Guards probes and scrapes that have no certificate to show, nor one to check."""
    admin, vosk, wyoming = free_port(), free_port(), free_port()
    secured = await start(admin_port=admin, vosk_port=vosk, wyoming_port=wyoming)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://127.0.0.1:{admin}/readyz")).status_code == 200
        with pytest.raises(httpx.TransportError):
            await client.get(f"http://127.0.0.1:{secured.port}/readyz")
    async with connect(f"wss://127.0.0.1:{vosk}/", ssl=secured.authority.context(), proxy=None):
        pass
    reader, writer = await asyncio.open_connection("127.0.0.1", wyoming)
    writer.write(b'{"type":"describe"}\n')
    assert b'"info"' in await reader.readline()
    writer.transport.abort()


async def test_command_trusts_the_authority_that_it_is_told_of(
    start: Any, mock_worker: Any, tmp_path: Path
) -> None:
    secured = await start()
    ca, speech = tmp_path / "ca.crt", tmp_path / "speech.raw"
    ca.write_bytes(secured.authority.certificate)
    speech.write_bytes(MESSAGE * 10)
    url = f"wss://127.0.0.1:{secured.port}/ws"

    async def scripta(*words: str, **environment: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scripta_client", *words),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()

    said = ("transcribe", str(speech), "--encoding", "linear16", "--url", url)
    assert (await scripta(*said, "--ca", str(ca)))[0] == 0
    assert (await scripta(*said, SCRIPTA_CA_FILE=str(ca)))[0] == 0
    code, output = await scripta(*said)
    assert (code, "--ca" in output) == (3, True), output
    code, output = await scripta(*said, "--ca", str(speech))
    assert (code, "cannot read certificates" in output) == (2, True), output
    base = f"https://127.0.0.1:{secured.port}"
    assert (await scripta("top", base, "--once", "--interval", "0.1", "--ca", str(ca)))[0] == 0
    code, output = await scripta("usage", "--url", url, "--jsonl", "--ca", str(ca))
    assert code == 0 or "HTTP" in output or "key" in output, output


async def test_containers_own_check_speaks_as_the_gateway_does(start: Any) -> None:
    admin = free_port()
    secured = await start(admin_port=admin)

    async def check(**environment: str) -> int | None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "scripta_gateway.healthcheck", env=environment
        )
        return await process.wait()

    ports = {"APP_PORT": str(secured.port)}
    assert await check(**ports, TLS_CERT_FILE="tls.crt") == 0
    assert await check(**ports, TLS_CERT_FILE="tls.crt", ADMIN_PORT=str(admin)) == 0
    assert await check(**ports, ADMIN_PORT=str(free_port())) == 1
    assert await check(**ports) == 1


async def test_handshake_that_does_not_come_ends_in_time(
    start: Any, monkeypatch: pytest.MonkeyPatch, hits: Callable[[Bound], float], until: Until
) -> None:
    monkeypatch.setattr(securing, "TLS_SECONDS", 0.3)
    secured = await start()
    _, silent = await asyncio.open_connection("127.0.0.1", secured.port)
    reader, half = await asyncio.open_connection("127.0.0.1", secured.port)
    half.write(b"\x16\x03\x01\x02\x00\x01")
    async with asyncio.timeout(5):
        with suppress(ConnectionError):
            assert await reader.read() == b""
    await until(lambda: hits(Bound.TLS_SECONDS) == 2)
    silent.close()


async def test_silent_sockets_keep_nobody_out(
    start: Any, monkeypatch: pytest.MonkeyPatch, hits: Callable[[Bound], float]
) -> None:
    """Guards sockets that nobody counts because their handshakes are not done."""
    secured = await start()
    monkeypatch.setattr(_sockets_of(secured), "_most", 20)
    async with AsyncExitStack() as stack:
        for _ in range(60):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", secured.port)))
            plain.setblocking(False)
        assert (await secured.get("/livez")).status_code == 200
        assert len(_sockets_of(secured)) <= 20
        assert hits(Bound.CONNECTIONS) >= 40


async def test_flood_of_handshakes_waits_and_who_speaks_does_not(
    start: Any,
    mock_worker: Any,
    monkeypatch: pytest.MonkeyPatch,
    hits: Callable[[Bound], float],
) -> None:
    """Guards those who speak: handshakes of others are most of what a socket costs."""
    monkeypatch.setattr(securing, "TLS_HANDSHAKES_A_SECOND", 4.0)
    monkeypatch.setattr(securing, "TLS_HANDSHAKES_BURST", 3.0)
    secured = await start()
    async with secured.connect() as client:
        began = asyncio.get_running_loop().time()
        flood = [asyncio.create_task(secured.serial()) for _ in range(8)]
        assert (await talk(client))["status"] == "received"
        await asyncio.gather(*flood)
    # Four begin at once, and the others a quarter of a second apart.
    assert asyncio.get_running_loop().time() - began > 0.9
    assert hits(Bound.TLS_HANDSHAKES) >= 4


async def test_no_socket_is_counted_that_is_gone(start: Any, until: Until) -> None:
    secured = await start()
    for message in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"):
        _, writer = await asyncio.open_connection("127.0.0.1", secured.port)
        writer.write(message)
        writer.close()
    await secured.get("/livez")
    async with secured.connect():
        pass
    await until(lambda: len(_sockets_of(secured)) == 0)


async def test_client_that_reads_no_answers_costs_bounded_memory(
    start: Any, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    secured = await start()
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", secured.port, ssl=secured.authority.context(), limit=1024
    )
    writer.transport.pause_reading()
    request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for _ in range(100):
        writer.write(request)
    served = _connections_of(secured)
    await until(lambda: any(not each.flow._is_writable_event.is_set() for each in served))
    (protocol,) = served
    assert protocol.transport.get_write_buffer_size() < 2**20
    writer.transport.abort()
    del reader


def _sockets_of(secured: Secured) -> sockets.Sockets:
    found: sockets.Sockets = secured.server._tls._sockets
    return found


def _connections_of(secured: Secured) -> set[Any]:
    found: set[Any] = secured.server.server_state.connections
    return found


def test_certificate_needs_its_key_and_clients_an_authority_for_something() -> None:
    for settings in (
        {"tls_cert_file": "tls.crt"},
        {"tls_key_file": "tls.key"},
        {"tls_client_ca_file": "ca.crt"},
    ):
        with pytest.raises(ValidationError, match="TLS_CERT_FILE"):
            GatewaySettings(**settings)


def test_gateway_does_not_start_without_the_certificate_that_it_is_told_of(
    authority: Authority, tmp_path: Path
) -> None:
    certificate, key = authority.issue().write(tmp_path)
    key.write_bytes(authority.issue().key)
    with pytest.raises(tls.BadCertificate, match=r"tls\.crt"):
        tls.Certificates(tls.TlsFiles(certificate, key))
    with pytest.raises(tls.BadCertificate, match=r"nothing\.crt"):
        tls.Certificates(tls.TlsFiles(tmp_path / "nothing.crt", key))
