"""Builds both images once for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import index
from .base import base_image
from .containers import Images
from .podman import Podman, Unavailable

ROOT = Path(__file__).parents[2]
SERVICES = ("gateway", "transcriber")
_BUILD_SECONDS = 600


@pytest.fixture(scope="session")
def podman() -> Podman:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scripta-images"
    try:
        return Podman(cache)
    except Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def base(podman: Podman) -> str:
    try:
        with podman.lock():
            return base_image(podman)
    except Unavailable as why:
        pytest.skip(str(why))


class Build:
    """Builds an image from a context, with pip's index as it is on this machine."""

    def __init__(self, podman: Podman, base: str, scratch: Path) -> None:
        self._podman = podman
        settings = index.pip_settings()
        conf = scratch / "pip.conf"
        conf.touch(mode=0o600)
        conf.write_text(index.pip_conf(settings))
        self._options = [
            "--format=docker",
            "--network=host",
            f"--build-arg=BASE_IMAGE={base}",
            "--build-arg=REVISION=tested",
            f"--secret=id=pip-conf,src={conf}",
            *(f"--volume={path}:{path}:ro" for path in index.local_paths(settings)),
        ]

    def __call__(self, service: str, name: str, context: Path = ROOT) -> str:
        return self.folder(context / "services" / service, name, context)

    def folder(self, folder: Path, name: str, context: Path = ROOT) -> str:
        dockerfile = folder / "Dockerfile"
        self._podman.call(
            "build", *self._options, "-f", dockerfile, "-t", name, context, timeout=_BUILD_SECONDS
        )
        return name


@pytest.fixture(scope="session")
def build(podman: Podman, base: str, tmp_path_factory: pytest.TempPathFactory) -> Build:
    return Build(podman, base, tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="session")
def images(podman: Podman, base: str, build: Build) -> Iterator[Images]:
    with podman.lock():
        names = {
            service: build(service, f"localhost/scripta-{service}:test-{os.getpid()}")
            for service in SERVICES
        }
        built = Images(podman, base, names)
    yield built
    for name in names.values():
        podman.attempt("untag", name)
    # What the next run may build on stays for a day; so do containers of a run that was killed.
    for kind in ("container", "image"):
        podman.attempt(kind, "prune", "--force", "--filter=until=24h", timeout=120)
