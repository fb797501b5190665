"""A base to build on where no container registry is reachable: Debian, made here.

It is the release and the Python that the Dockerfiles' default base has, so that the same wheels
are installed and run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from .podman import Podman, Unavailable

_SUITE = "trixie"
_INCLUDE = "python3,python3-venv"
_IMAGE = f"localhost/scripta-test-base:{_SUITE}-1"
_SECONDS = 180
_DROPPED = tuple(
    f"./{folder}/"
    for folder in (
        "usr/share/doc",
        "usr/share/info",
        "usr/share/locale",
        "usr/share/man",
        "var/cache/apt",
        "var/lib/apt/lists",
        "dev",
    )
)


def base_image(podman: Podman) -> str:
    """Returns the name of a base: ``$BASE_IMAGE``, else one that is made once and kept.

    Raises:
        Unavailable: There is none and none can be made, or nothing runs in it.
    """
    given = os.environ.get("BASE_IMAGE")
    image = given or _IMAGE
    if not given and not podman.has(image):
        _make(podman)
    tried = podman.attempt(
        "run", "--rm", "--network=host", image, "python3", "-c", "0", timeout=_SECONDS
    )
    if tried.returncode != 0:
        raise Unavailable(f"containers do not run here: {_last_line(tried.stderr)}")
    return image


def _make(podman: Podman) -> None:
    if os.geteuid() != 0:
        raise Unavailable("only root can make a base (or name one: BASE_IMAGE=…)")
    if not shutil.which("debootstrap"):
        raise Unavailable("debootstrap is not installed (or name a base: BASE_IMAGE=…)")
    with tempfile.TemporaryDirectory(prefix="scripta-base-") as scratch:
        root = Path(scratch, "root")
        # In namespaces of its own, nothing that it mounts or starts outlives it.
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        command += ["debootstrap", "--variant=minbase", f"--include={_INCLUDE}", _SUITE, str(root)]
        try:
            made = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            raise Unavailable(f"debootstrap took over {_SECONDS} s") from late
        if made.returncode != 0:
            raise Unavailable(f"debootstrap failed: {_last_line(made.stdout + made.stderr)}")
        archive = Path(scratch, "root.tar")
        with tarfile.open(archive, "w") as file:
            file.add(root, arcname=".", filter=_wanted)
        podman.call("import", archive, _IMAGE, timeout=_SECONDS)


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if member.name.startswith(_DROPPED) else member


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it says nothing"])[-1]
