"""The two services as containers, as locked down as a cluster would have them."""

from __future__ import annotations

import secrets
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError

from scripta_local.ports import free_port

from .podman import Podman

LOCKED_DOWN = (
    "--network=host",
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--log-driver=k8s-file",
)
"""Not even a place for temporary files."""


@dataclass(frozen=True, slots=True)
class Images:
    """The built images, by service."""

    podman: Podman
    base: str
    names: dict[str, str]

    def run(self, service: str, program: str) -> str:
        """Runs a Python program in the image in place of the service; returns what it printed."""
        return self.podman.call(
            "run", "--rm", *LOCKED_DOWN, "--entrypoint=python", self.names[service], "-c", program
        )

    def config(self, service: str) -> dict[str, Any]:
        return dict(self.podman.inspect(self.names[service])["Config"])

    def layers(self, service: str) -> list[str]:
        return list(self.podman.inspect(self.names[service])["RootFS"]["Layers"])

    def size(self, service: str) -> int:
        """Bytes, unpacked."""
        return int(self.podman.inspect(self.names[service])["Size"])


class Container:
    """A service that runs; leaving the block kills it if it still does."""

    def __init__(self, images: Images, service: str, env: dict[str, str]) -> None:
        self._podman = images.podman
        self._image = images.names[service]
        self._env = env
        self.name = f"scripta-test-{service}-{secrets.token_hex(4)}"
        self.port = free_port()

    def __enter__(self) -> Self:
        ports = {
            "APP_HOST": "127.0.0.1",
            "APP_PORT": str(self.port),
            "HEALTH_HOST": "127.0.0.1",
            "HEALTH_PORT": str(self.port),
        }
        env = [f"--env={name}={value}" for name, value in (ports | self._env).items()]
        self._podman.call("run", "--detach", "--name", self.name, *LOCKED_DOWN, *env, self._image)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            print(f"--- {self.name}\n{self.logs()}")
        self._podman.attempt("rm", "--force", "--time=0", self.name)

    def ready(self) -> bool:
        """Whether it says that it can take work."""
        with (
            suppress(URLError, OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer,
        ):
            return bool(answer.status == 200)
        assert self._state()["Running"], f"{self.name} has ended:\n{self.logs()}"
        return False

    def healthy(self) -> bool:
        """Runs the image's health check once."""
        return self._podman.attempt("healthcheck", "run", self.name).returncode == 0

    def stop(self, seconds: int) -> int:
        """Sends the image's stop signal; returns the exit code (137 if that did not help)."""
        self._podman.call("stop", f"--time={seconds}", self.name, timeout=seconds + 60)
        return int(self._state()["ExitCode"])

    def logs(self) -> str:
        done = self._podman.attempt("logs", self.name)
        return done.stdout + done.stderr

    def _state(self) -> dict[str, Any]:
        return dict(self._podman.inspect(self.name)["State"])
