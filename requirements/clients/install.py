"""Makes the environment of a vendor's client: ``install.py NAME…``; no name: all of them.

Each client has an environment of its own in ``.venv/clients/NAME``, made once from its lock and
used offline afterwards. The file ``.installed`` in it holds the digest of the lock that it was
made from. Packages are linked from uv's cache, so what several clients need is on the disk once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LOCKS = Path(__file__).resolve().parent
HOME = LOCKS.parents[1] / ".venv" / "clients"
OURS = {"javascript": LOCKS.parents[1] / "clients" / "javascript"}
"""Packages of ours for Node: what their tests need is installed in the same way."""

SECONDS = 280
"""What an installation may take: less than a test may."""


class NotInstalled(Exception):
    """The environment can not be made; the text says why."""


def names() -> list[str]:
    """Returns all clients: those with a lock for Python, and those with a package for Node."""
    python = [path.stem for path in LOCKS.glob("*.in")]
    return sorted([*python, *OURS, *(path.parent.name for path in LOCKS.glob("*/package.json"))])


def install(name: str) -> Path:
    """Returns the environment of a client, which it makes if there is none of today's lock.

    Raises:
        NotInstalled: A tool or the network is missing, or a package can not be had.
    """
    home = HOME / name
    with _alone(name):
        marker = home / ".installed"
        digest = _digest(name)
        if marker.is_file() and marker.read_text() == digest:
            return home
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        if _folder(name).is_dir():
            _install_node(_folder(name), home)
        else:
            _install_python(name, home)
        marker.write_text(digest)
        return home


def _digest(name: str) -> str:
    locks = [LOCKS / f"{name}.txt"]
    if _folder(name).is_dir():
        locks = [_folder(name) / "package.json", _folder(name) / "package-lock.json"]
    return hashlib.sha256(b"\n".join(path.read_bytes() for path in locks)).hexdigest()


def _folder(name: str) -> Path:
    """Returns where a package for Node and its lock are, if it is one."""
    return OURS.get(name, LOCKS / name)


def _install_python(name: str, home: Path) -> None:
    uv = LOCKS.parents[1] / ".venv" / "bin" / "uv"
    _do([uv, "venv", "--quiet", "--python", sys.executable, home])
    _do(
        [uv, "pip", "sync", "--quiet", "--require-hashes", "--only-binary", ":all:",
         "--python", home / "bin" / "python", LOCKS / f"{name}.txt"]
    )  # fmt: skip


def _install_node(folder: Path, home: Path) -> None:
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise NotInstalled(f"there is no {tool} on the PATH")
    for file in ("package.json", "package-lock.json"):
        shutil.copy(folder / file, home / file)
    _do(
        ["npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund",
         "--no-update-notifier", "--fetch-retries=1", "--prefix", home]
    )  # fmt: skip


def _do(command: Sequence[str | Path]) -> None:
    # The index that pip uses here is uv's too.
    environment = {**os.environ}
    if "PIP_INDEX_URL" in environment:
        environment.setdefault("UV_DEFAULT_INDEX", environment["PIP_INDEX_URL"])
    environment.pop("VIRTUAL_ENV", None)
    # Without a network, tests wait for this before they skip.
    environment.setdefault("UV_HTTP_RETRIES", "1")
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(str(error)) from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise NotInstalled(" ".join(line.strip() for line in lines)[:400])


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Lets one process at a time make an environment; others wait and find it made."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(wanted: Sequence[str]) -> int:
    """Installs clients and prints what became of each; returns 1 if one is missing."""
    failed = False
    for name in wanted or names():
        try:
            print(f"{name}: {install(name)}")
        except NotInstalled as error:
            failed = True
            print(f"{name}: {error}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
