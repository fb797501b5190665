"""Loopback ports: finds a free one, and tells who holds a taken one."""

from __future__ import annotations

import errno
import random
import socket
from pathlib import Path

from scripta_local.errors import LocalError, PortInUse

FREE_RANGE = (15_000, 32_000)
"""Below the range from which systems take outgoing ports: a server that is restarted on its
port finds it free, and a client that dials a closed port never reaches itself."""

_ATTEMPTS = 200
_LISTEN = "0A"


def free_port(host: str = "127.0.0.1") -> int:
    """Returns a port that nothing is bound to right now."""
    for _ in range(_ATTEMPTS):
        port = random.randrange(*FREE_RANGE)
        if _bind_error(host, port) is None:
            return port
    raise LocalError(f"No free port on {host} between {FREE_RANGE[0]} and {FREE_RANGE[1]}.")


def check_port(host: str, port: int) -> None:
    """Raises ``PortInUse`` if the port is taken; the error names its holder where it can.

    Other reasons for which a server can not listen there are left to the server to tell.
    """
    if _bind_error(host, port) != errno.EADDRINUSE and not _answers(port):
        return
    holder = holder_of(port)
    raise PortInUse(
        f"Port {port} is in use" + (f" by {holder}." if holder else " by another process."),
        fix=f"Stop it, or take another port: make run APP_PORT={port + 1}",
    )


def holder_of(port: int) -> str | None:
    """Returns the name and pid of the process that listens on the port, where Linux tells."""
    inodes = {inode for table in ("tcp", "tcp6") for inode in _listening_inodes(table, port)}
    if not inodes:
        return None
    targets = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(fd.readlink()) in targets for fd in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                return f"process {process.name} ({command[:80]})"
        except OSError:
            continue  # gone meanwhile, or another user's
    return None


def _listening_inodes(table: str, port: int) -> list[str]:
    """Returns the socket inodes that listen on the port, by ``/proc/net/<table>``."""
    try:
        rows = Path("/proc/net", table).read_text().splitlines()[1:]
    except OSError:
        return []
    fields = [row.split() for row in rows]
    return [f[9] for f in fields if f[3] == _LISTEN and int(f[1].rpartition(":")[2], 16) == port]


def _bind_error(host: str, port: int) -> int | None:
    """Returns why a server can not bind there, as an errno; ``None`` if it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as server:
        # As servers do: a port whose last connections are still closing counts as free.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((host, port))
        except OSError as error:
            return error.errno
    return None


def _answers(port: int) -> bool:
    """Whether somebody listens there; some systems let two bind the same port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
