"""The JavaScript package: its own tests, its types, what is packed, and the README's examples."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from scripta_local.stack import Stack

PACKAGE = Path(__file__).parents[1]


def do(*command: str | Path, at: Path) -> str:
    """Runs a command and returns what it prints; fails with that if the command does."""
    done = subprocess.run(
        list(map(str, command)), cwd=at, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def packed(workspace: Path) -> Path:
    """The tarball, as npm would publish it."""
    (made,) = json.loads(do("npm", "pack", "--json", "--silent", at=workspace))
    return workspace / str(made["filename"])


@pytest.mark.unit
def test_pure_code_in_nodes_own_runner(workspace: Path) -> None:
    told = do("node", "--test", "tests/unit/", at=workspace)
    assert re.search(r"pass [1-9]\d", told), told


@pytest.mark.unit
def test_lock_names_no_registry_and_pins_by_digest() -> None:
    packages = json.loads((PACKAGE / "package-lock.json").read_text())["packages"]
    needed = {name: each for name, each in packages.items() if name}
    assert needed
    assert all("resolved" not in each and each["integrity"] for each in needed.values())
    assert "dependencies" not in json.loads((PACKAGE / "package.json").read_text())


@pytest.mark.unit
def test_what_is_packed(packed: Path) -> None:
    with tarfile.open(packed) as tar:
        names = {name.removeprefix("package/") for name in tar.getnames()}
    sources = {str(path.relative_to(PACKAGE)) for path in (PACKAGE / "src").rglob("*.js")}
    types = {name for name in names if name.startswith("types/")}
    typed = {name.removeprefix("types/").replace(".d.ts", ".js") for name in types}
    worklet = "src/browser/capture-worklet.js"
    assert names - types == sources | {
        "LICENSE",
        "README.md",
        "package.json",
        "examples/use-scripta.js",
    }
    assert typed == {name.removeprefix("src/") for name in sources - {worklet}}


@pytest.mark.unit
def test_types_hold_for_a_program_outside(
    packed: Path, node_modules: Path, workspace: Path, tmp_path: Path
) -> None:
    home = tmp_path / "node_modules" / "scripta-client"
    home.mkdir(parents=True)
    with tarfile.open(packed) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    (tmp_path / "unpacked" / "package").rename(home)
    program = tmp_path / "outside.mts"
    program.write_text((workspace / "tests" / "programs" / "outside.mts").read_text())
    tsc = node_modules / "typescript" / "bin" / "tsc"
    flags = ("--noEmit", "--strict", "--target", "es2022", "--module", "nodenext")
    do("node", tsc, *flags, "--lib", "es2022,dom,dom.asynciterable", program, at=tmp_path)


@pytest.mark.unit
def test_what_tsc_does_not_see_can_be_read_by_node(workspace: Path) -> None:
    for file in ("src/browser/capture-worklet.js", "examples/use-scripta.js"):
        do("node", "--check", workspace / file, at=workspace)


@pytest.mark.unit
def test_modules_are_small() -> None:
    long = {
        path.name: lines
        for path in (PACKAGE / "src").rglob("*.js")
        if (lines := len(path.read_text().splitlines())) > 250
    }
    assert long == {}


@pytest.mark.system
async def test_example_for_node_runs_as_printed(
    workspace: Path, tmp_path: Path, readme_example: Callable[[str], str]
) -> None:
    recording = tmp_path / "one second.wav"
    with wave.open(str(recording), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(b"\1\2" * 16_000)
    async with Stack(engine="mock") as stack:
        program = workspace / "example.mjs"
        program.write_text(readme_example("node").replace("ws://localhost:8000", stack.ws_url))
        told = do("node", program, recording, at=workspace)
    assert re.match(r"Transcribed: .+ \(size: \d+ bytes\)", told), told
