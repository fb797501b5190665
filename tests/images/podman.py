"""Podman with a configuration and a storage of the tests' own.

Nothing of the machine's own configuration, images or containers is touched. The storage stays, as
the cache of the base and of layers: in ``$XDG_CACHE_HOME/scripta-images`` (``~/.cache``), which
may be removed at any time.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "{runtime}"
tmp_dir = "{run}/libpod"
[network]
network_backend = "netavark"
network_config_dir = "{cache}/networks"
"""

_STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{cache}/storage"
runroot = "{run}"
"""


class Unavailable(Exception):
    """Containers can not be had here; the message says why."""


class Podman:
    """The program, with a place of its own.

    Args:
        cache: Folder that outlives the run.

    Raises:
        Unavailable: Podman, or what runs its containers, is not installed.
    """

    def __init__(self, cache: Path) -> None:
        if not shutil.which("podman"):
            raise Unavailable("podman is not installed")
        # crun does not start on every layout of control groups.
        runtime = next((name for name in ("runc", "crun") if shutil.which(name)), None)
        if runtime is None:
            raise Unavailable("neither runc nor crun is installed")
        self._cache = cache
        (cache / "networks").mkdir(parents=True, exist_ok=True)
        values = {"cache": cache, "run": _run_folder(cache), "runtime": runtime}
        for name, text in (
            ("containers.conf", _CONTAINERS_CONF),
            ("storage.conf", _STORAGE_CONF),
        ):
            (cache / name).write_text(text.format(**values))
        # For what calls podman itself.
        self.env = os.environ | {
            "CONTAINERS_CONF": str(cache / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(cache / "storage.conf"),
        }

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other runs from making the same things at the same time."""
        with (self._cache / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def call(self, *arguments: str | Path, timeout: float = 60) -> str:
        """Runs a command of podman; returns what it printed.

        Raises:
            AssertionError: It failed; the message has its last lines.
        """
        done = self.attempt(*arguments, timeout=timeout)
        assert done.returncode == 0, (
            f"podman {' '.join(map(str, arguments))}: exit code {done.returncode}\n"
            f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        )
        return done.stdout

    def attempt(
        self, *arguments: str | Path, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command of podman that may fail."""
        return subprocess.run(
            ["podman", *map(str, arguments)],
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def has(self, image: str) -> bool:
        return self.attempt("image", "exists", image).returncode == 0

    def inspect(self, name: str) -> dict[str, Any]:
        """Returns what podman tells of an image or a container."""
        return dict(json.loads(self.call("inspect", name))[0])


def _run_folder(cache: Path) -> Path:
    """Returns where podman notes what runs: a place that a restart of the machine empties."""
    volatile = Path(os.environ.get("XDG_RUNTIME_DIR", "/run"))
    if not os.access(volatile, os.W_OK):
        volatile = Path(tempfile.gettempdir())
    # Two caches are two podmans, which must not see each other.
    return volatile / f"scripta-images-{hashlib.sha256(bytes(cache)).hexdigest()[:8]}"
