"""Images of others are pinned by digest, in the chart and in compose.yaml; and how they are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from .rendering import CHART, ROOT, default, render

pytestmark = pytest.mark.chart

FILES = (CHART / "values.yaml", ROOT / "compose.yaml")
INDEX = b'{"manifests": []}'
DIGEST = f"sha256:{sha256(INDEX).hexdigest()}"
TOOLS = {
    "crane": f'[ "$1 $2" = "digest $EXPECTED" ] && echo {DIGEST}',
    "skopeo": (f'[ "$*" = "inspect --raw docker://$EXPECTED" ] && printf %s \'{INDEX.decode()}\''),
    "docker": f'[ "$1 $2 $3 $6" = "buildx imagetools inspect $EXPECTED" ] && echo {DIGEST}',
}
"""What stands in for each tool: it knows one image, and that no registry need be asked."""

Pin = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def pin(tmp_path: Path) -> Pin:
    """Runs the script on files, with one tool or none on the path."""

    def run(*files: Path, tool: str = "", expected: str = "") -> subprocess.CompletedProcess[str]:
        folder = tmp_path / f"bin-{tool}"
        folder.mkdir()
        if tool:
            (folder / tool).write_text(f"#!{Path('/bin/sh').resolve()}\n{TOOLS[tool]}\n")
            (folder / tool).chmod(0o755)
        return subprocess.run(
            [sys.executable, ROOT / "charts/pin_images.py", *files],
            env={"PATH": str(folder), "EXPECTED": expected, "HOME": os.environ.get("HOME", "/")},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return run


def test_images_of_others_are_pinned_and_the_same_everywhere() -> None:
    found = {
        (pod.component, container["image"])
        for pod in render({"imageRegistry": "ours.example"}).pods()
        for container in pod.containers
        if not container["image"].startswith("ours.example/")
    }
    ((component, image),) = found
    assert component == "broker"
    assert re.fullmatch(r"docker\.io/valkey/valkey@sha256:[0-9a-f]{64}", image)
    tag = default("broker.embedded.image.tag")
    assert f":-docker.io/valkey/valkey:{tag}}}" in (ROOT / "compose.yaml").read_text("utf-8")


def test_another_tag_is_not_overridden_by_the_digest_of_the_charts_own() -> None:
    """Guards who asks for a newer broker against getting the old one."""
    values = {"broker": {"embedded": {"image": {"tag": "9.0-alpine"}}}}
    (container,) = render(values).pod("broker").containers
    assert container["image"] == "docker.io/valkey/valkey:9.0-alpine"


@pytest.mark.parametrize("tool", TOOLS)
def test_pinning_writes_the_digest_and_changes_nothing_else(
    pin: Pin, tool: str, tmp_path: Path
) -> None:
    copies = [tmp_path / path.name for path in FILES]
    for path, copy in zip(FILES, copies, strict=True):
        copy.write_text(path.read_text("utf-8"), "utf-8")
    tag, _, before = default("broker.embedded.image.tag").partition("@")
    done = pin(*copies, tool=tool, expected=f"docker.io/valkey/valkey:{tag}")
    assert done.returncode == 0, done.stderr
    for path, copy in zip(FILES, copies, strict=True):
        assert copy.read_text("utf-8") == path.read_text("utf-8").replace(before, DIGEST)


def test_what_has_no_digest_yet_gets_one(pin: Pin, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("image:\n  repository: docker.io/a/b\n  # Why.\n  tag: 1.0\n")
    assert pin(file, tool="crane", expected="docker.io/a/b:1.0").returncode == 0
    assert file.read_text().endswith(f"tag: 1.0@{DIGEST}\n")


@pytest.mark.parametrize(
    ("tool", "says"), [("", "There is no crane"), ("skopeo", "failed"), ("docker", "failed")]
)
def test_without_an_answer_nothing_is_written(
    pin: Pin, tmp_path: Path, tool: str, says: str
) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(before := "one: docker.io/a/b:1\ntwo: docker.io/c/d:2\n")
    done = pin(file, tool=tool, expected="docker.io/a/b:1")
    assert done.returncode == 1
    assert says in done.stderr
    assert file.read_text() == before
