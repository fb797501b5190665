"""The load kit's image streams real speech through a running system."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from scripta_local.stack import Stack

from .conftest import ROOT, Build
from .containers import LOCKED_DOWN
from .podman import Podman

pytestmark = [pytest.mark.images, pytest.mark.slow]

MOST_BYTES = 120_000_000
"""What it may add to its base."""


@pytest.fixture(scope="module")
def image(podman: Podman, build: Build) -> Iterator[str]:
    with podman.lock():
        name = build.folder(ROOT / "loadtest", f"localhost/scripta-test-load:{os.getpid()}")
    yield name
    podman.attempt("untag", name)


def test_image_holds_no_model_and_runs_as_nobody(podman: Podman, base: str, image: str) -> None:
    inspected = podman.inspect(image)
    assert inspected["Config"]["User"] == "10001:10001"
    assert int(inspected["Size"]) - int(podman.inspect(base)["Size"]) < MOST_BYTES


async def test_load_from_a_locked_down_container_loses_no_word(podman: Podman, image: str) -> None:
    async with Stack() as stack:
        done = await asyncio.to_thread(
            podman.attempt,
            "run", "--rm", *LOCKED_DOWN, image,
            "--headless", "--host", stack.ws_url, "--users", "2", "--run-time", "12s",
            "--stagger", "0", "--session-seconds", "8", "--only-summary",
            timeout=120,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed." in done.stdout
    assert " 0 lost, 0 added" in done.stdout
