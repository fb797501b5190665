"""The whole system as child processes: broker, gateways and transcribers.

For ``make run``, tests and benches alike. Everything listens on loopback unless told
otherwise; everything it started is gone when it has stopped.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from scripta_local.broker import Broker
from scripta_local.console import Console
from scripta_local.errors import BrokerError
from scripta_local.ports import check_port, free_port
from scripta_local.process import Backoff, Child, describe_exit
from scripta_local.readiness import reachable_host
from scripta_local.service import Service
from scripta_local.settings import inherited_environment

READY_SECONDS = 90.0
GATEWAY_GRACE = 5.0
TRANSCRIBER_GRACE = 4.0
_BROKER_POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Commands:
    """What is run as each service."""

    gateway: Sequence[str] = (sys.executable, "-m", "scripta_gateway")
    transcriber: Sequence[str] = (sys.executable, "-m", "scripta_transcriber")


class Stack:
    """A running system; an async context manager that is ready inside its block.

    Attributes:
        broker: The embedded broker, ``None`` with a ``redis_url`` of the caller's.
        redis_url: The broker in use; with an embedded one, known once it is started.
    """

    def __init__(
        self,
        *,
        transcribers: int = 1,
        engine: str = "moonshine",
        host: str = "127.0.0.1",
        port: int = 0,
        redis_url: str | None = None,
        appendonly: bool = False,
        restart: bool | Backoff = True,
        env: Mapping[str, str] | None = None,
        console: Console | None = None,
        commands: Commands | None = None,
        ready_seconds: float = READY_SECONDS,
    ) -> None:
        """Starts nothing yet.

        Args:
            transcribers: How many to start.
            engine: Their engine.
            host: Address of the gateway.
            port: Port of the gateway; 0 takes a free one.
            redis_url: A broker to use instead of an embedded one.
            appendonly: Whether the embedded broker's data survives its restart.
            restart: Whether what dies is started again, and with which back-off.
            env: Further environment variables of the services.
            console: Where logs go; nowhere if ``None`` (errors quote their end).
            commands: Programs to run as the services.
            ready_seconds: Longest time until everything is ready.
        """
        self.redis_url = redis_url or ""
        self.broker = None if redis_url else Broker(appendonly=appendonly)
        self._count = transcribers
        self._engine = engine
        self._host = host
        self._port = port
        self._backoff = Backoff() if restart is True else restart or None
        self._env = dict(env or {})
        self._console = console or Console(None)
        self._commands = commands or Commands()
        self._ready_seconds = ready_seconds
        self._gateways: list[Service] = []
        self._gateway_ports: list[int] = []
        self._transcribers: list[Service] = []
        self._transcriber_ports: list[int] = []
        self._broker_watch: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Port of the gateway; 0 before the start if none was given."""
        return self._port

    @property
    def url(self) -> str:
        """The gateway's HTTP address, without a slash at the end."""
        return f"http{self._s}://{_in_url(reachable_host(self._host))}:{self._port}"

    @property
    def ws_url(self) -> str:
        """The address of the native dialect."""
        return f"ws{self._s}://{_in_url(reachable_host(self._host))}:{self._port}/ws"

    @property
    def certificate(self) -> str:
        """File of the certificate that the gateway shows; empty: it speaks no TLS."""
        return {**inherited_environment(), **self._env}.get("TLS_CERT_FILE", "")

    @property
    def _s(self) -> str:
        return "s" if self.certificate else ""

    @property
    def gateway_ports(self) -> list[int]:
        """Ports of the gateways in the order of their start; the first is ``port``."""
        return list(self._gateway_ports)

    @property
    def transcriber_ports(self) -> list[int]:
        """Ports of the transcribers' probes and metrics, in the order of their start."""
        return list(self._transcriber_ports)

    @property
    def gateway(self) -> int | None:
        """Process id of the first gateway while it runs."""
        return self._gateways[0].child.pid if self._gateways else None

    @property
    def gateways(self) -> list[int | None]:
        """Process ids of the gateways in the order of their start; ``None`` for a dead one."""
        return [service.child.pid for service in self._gateways]

    @property
    def transcribers(self) -> list[int | None]:
        """Process ids of the transcribers in the order of their start; ``None`` for a dead one."""
        return [service.child.pid for service in self._transcribers]

    def log_of(self, name: str) -> tuple[str, ...]:
        """Returns the last lines of a service, such as ``gateway-2``; the first is ``gateway``."""
        return next(s.child.tail for s in self._services() if s.child.name == name)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
            await self.wait_ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Starts everything and does not wait for the services to be ready.

        Raises:
            PortInUse: Another process listens on the gateway's port.
            BrokerError: The broker does not start.
        """
        if self._port:
            check_port(self._host, self._port)
        else:
            self._port = free_port(self._host)
        if self.broker is not None:
            self.broker.start()
            self.redis_url = self.broker.url
            if self._backoff is not None:
                self._broker_watch = asyncio.create_task(
                    self._watch_broker(self.broker, self._backoff), name="broker-watch"
                )
        await self._start_gateway("gateway", self._port)
        for _ in range(self._count):
            await self._start_transcriber()

    async def wait_ready(self) -> None:
        """Returns when every service says that it is ready.

        Raises:
            NotReady: One died or took too long; the error says which and has its last lines.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for service in self._services():
                    group.create_task(self._until_ready(service))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def add_gateway(self, env: Mapping[str, str] | None = None) -> int:
        """Starts one more, on a port of its own; returns its place once it is ready.

        Args:
            env: Variables that only this one has.

        Raises:
            NotReady: As ``wait_ready``.
        """
        place = len(self._gateways)
        service = await self._start_gateway(f"gateway-{place + 1}", free_port(self._host), env)
        await self._until_ready(service)
        return place

    async def add_transcriber(self) -> int:
        """Starts one more; returns its place among ``transcribers`` once it is ready.

        Raises:
            NotReady: As ``wait_ready``.
        """
        service = await self._start_transcriber()
        await self._until_ready(service)
        return len(self._transcribers) - 1

    async def kill_transcriber(self, place: int, number: int = signal.SIGKILL) -> None:
        """Sends a signal to the transcriber at that place; SIGKILL returns when it is gone."""
        await self._transcribers[place].send(number)

    async def kill_gateway(self, number: int = signal.SIGKILL, place: int = 0) -> None:
        """Sends a signal to the gateway at that place; SIGKILL returns when it is gone."""
        if self._gateways:
            await self._gateways[place].send(number)

    async def transcriber_gone(self, place: int) -> None:
        """Returns when the process that is now at that place has ended."""
        await self._transcribers[place].child.ended()

    async def stop(self) -> None:
        """Stops everything, in this order; may be repeated.

        1. The gateways: take no new sessions, end their connections, while transcribers still
           answer what is under way.
        2. The transcribers: give back what they hold.
        3. The broker, on which nobody depends any more.
        """
        if self._broker_watch is not None:
            self._broker_watch.cancel()
            await asyncio.wait([self._broker_watch])
        await asyncio.gather(*(s.child.stop(GATEWAY_GRACE) for s in self._gateways))
        await asyncio.gather(*(s.child.stop(TRANSCRIBER_GRACE) for s in self._transcribers))
        if self.broker is not None:
            await asyncio.to_thread(self.broker.close)

    def kill(self) -> None:
        """Kills everything at once; a ``stop`` under way then ends at once too."""
        if self._broker_watch is not None:
            self._broker_watch.cancel()
        for service in self._services():
            service.child.kill()
        if self.broker is not None:
            self.broker.kill()

    def _services(self) -> list[Service]:
        return [*self._gateways, *self._transcribers]

    def _child(self, name: str, command: Sequence[str], own: Mapping[str, str]) -> Child:
        env = {
            "LOG_FORMAT": "human",
            "PYTHONUNBUFFERED": "1",
            **inherited_environment(),
            **self._env,
            "REDIS_URL": self.redis_url,
            **own,
        }
        return Child(name, command, env=env, console=self._console, backoff=self._backoff)

    async def _start_gateway(
        self, name: str, port: int, env: Mapping[str, str] | None = None
    ) -> Service:
        own = {**(env or {}), "APP_HOST": self._host, "APP_PORT": str(port)}
        settings = {**inherited_environment(), **self._env, **own}
        # Its own port speaks plainly, and to whoever has no certificate.
        admin = int(settings.get("ADMIN_PORT") or 0)
        service = Service(
            self._child(name, self._commands.gateway, own),
            self._host,
            admin or port,
            secured=bool(settings.get("TLS_CERT_FILE")) and not admin,
        )
        self._gateways.append(service)
        self._gateway_ports.append(port)
        await service.child.start()
        return service

    async def _start_transcriber(self) -> Service:
        port = free_port()
        own = {"ENGINE": self._engine, "HEALTH_HOST": "127.0.0.1", "HEALTH_PORT": str(port)}
        name = f"transcriber-{len(self._transcribers) + 1}"
        service = Service(self._child(name, self._commands.transcriber, own), "127.0.0.1", port)
        self._transcribers.append(service)
        self._transcriber_ports.append(port)
        await service.child.start()
        return service

    async def _until_ready(self, service: Service) -> None:
        restarts = self._backoff is not None
        await service.wait_ready(self._ready_seconds, restarts=restarts)

    async def _watch_broker(self, broker: Broker, backoff: Backoff) -> None:
        """Starts the broker again whenever it dies, on its port; runs until cancelled."""
        failures = 0
        began = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(_BROKER_POLL_SECONDS)
            code = broker.exit_code
            if code is None:
                continue
            now = asyncio.get_running_loop().time()
            failures = backoff.failures(failures, now - began)
            delay = backoff.delay(failures)
            self._console.note(f"broker {describe_exit(code)}; starting it again in {delay:g} s.")
            await asyncio.sleep(delay)
            began = asyncio.get_running_loop().time()
            try:
                broker.start()
            except BrokerError as error:
                self._console.note(str(error))


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
