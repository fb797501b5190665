"""The chart's pods as processes of this machine: the same environment, ports of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from scripta_local.ports import free_port

from .environment import environment
from .rendering import Pod

_POLL_SECONDS = 0.05
_PORTS = {"http": "APP_PORT", "admin": "ADMIN_PORT", "health": "HEALTH_PORT"}
"""The variable that sets a port of a container, by the port's name."""
_MODELS = "/models"
"""Where transcribers look for models, unless they are told another folder."""
_LOOPBACK = {"APP_HOST": "127.0.0.1", "HEALTH_HOST": "127.0.0.1"}


class LocalPod:
    """One pod of a service; a process of it runs inside the context.

    Attributes:
        pod: What it is made from.
        ports: Where it listens in place of the container's ports, by their names.
    """

    def __init__(self, pod: Pod, redis_url: str, folders: Mapping[str, Path] | None = None) -> None:
        """Starts nothing yet.

        Args:
            pod: A gateway's or a transcriber's.
            redis_url: The broker that takes the place of the release's.
            folders: What takes the place of the folders that are mounted.
        """
        self._folders = folders or {}
        self.pod = pod
        self.ports = {port["name"]: free_port() for port in self.container["ports"]}
        self._redis_url = redis_url
        self._process: asyncio.subprocess.Process | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process

    @property
    def container(self) -> dict[str, Any]:
        """The container that stays."""
        (container,) = self.pod.spec["containers"]
        found: dict[str, Any] = container
        return found

    async def __aenter__(self) -> Self:
        given = environment(self.pod)
        ports = {_PORTS[name]: str(port) for name, port in self.ports.items()}
        service = self.pod.component.partition("-")[0]
        self._process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name(f"scripta-{service}")),
            env={
                "PATH": os.environ["PATH"],
                **{name: self._local(value) for name, value in given.items()},
                **ports,
                **_LOOPBACK,
                **({"MODEL_DIR": str(self._folders[_MODELS])} if _MODELS in self._folders else {}),
                "REDIS_URL": self._redis_url,
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        self._log.close()

    async def get(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        port: str = "",
        scheme: str = "http",
    ) -> httpx.Response:
        """Returns the answer to a GET; raises ``httpx.TransportError`` if nobody listens.

        Args:
            path: Path.
            headers: Headers.
            port: Name of the port; the first unless it is given.
            scheme: With ``https`` no certificate is checked, as by a kubelet.
        """
        number = self.ports[port or next(iter(self.ports))]
        async with httpx.AsyncClient(timeout=5, verify=False) as client:
            return await client.get(f"{scheme}://127.0.0.1:{number}{path}", headers=headers)

    async def metrics(self) -> str:
        """Returns what it answers to a scrape."""
        port = next(port for port in ("admin", "health", "http") if port in self.ports)
        return (await self.get("/metrics", port=port)).text

    async def passes(self, probe: str) -> None:
        """Waits until a probe passes, as long as the kubelet would.

        Raises:
            AssertionError: It did not, or the process has ended; with what it logged last.
        """
        spec = self.container[probe]
        asked = spec["httpGet"]
        scheme = asked.get("scheme", "HTTP").lower()
        deadline = time.monotonic() + spec["periodSeconds"] * spec["failureThreshold"]
        while not await self._answers(asked["path"], asked["port"], scheme):
            if self.exit_code is not None or time.monotonic() > deadline:
                self._log.seek(0)
                tail = self._log.read().decode(errors="replace")[-2000:]
                raise AssertionError(f"{self.pod.component} fails its {probe}:\n{tail}")
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """Stops it as the kubelet does once the pause is over; ``TimeoutError`` if it must kill."""
        assert self._process is not None
        pause = self.container.get("lifecycle", {}).get("preStop", {}).get("exec", {})
        (paused,) = map(float, pause.get("command", ["sleep", "0"])[1:])
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(self.pod.spec["terminationGracePeriodSeconds"] - paused):
            await self._process.wait()

    @property
    def exit_code(self) -> int | None:
        """How it has ended; ``None`` while it runs."""
        return self._process.returncode if self._process is not None else None

    def _local(self, text: str) -> str:
        for mounted, folder in self._folders.items():
            if text.startswith(mounted):
                return f"{folder}{text.removeprefix(mounted)}"
        return text

    async def _answers(self, path: str, port: str, scheme: str) -> bool:
        try:
            return (await self.get(path, port=port, scheme=scheme)).status_code == 200
        except httpx.TransportError:
            return False
