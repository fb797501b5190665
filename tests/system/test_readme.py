"""The README's examples run as printed."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from recordings import shipped_path, two_cities

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

README = Path(__file__).parents[2] / "README.md"
MOST_ERRORS = 0.12
WEBSOCKET = 22
"""First version of Node with a global ``WebSocket``."""

HIDDEN_WEBSOCKET = 20
"""First version that has it behind an option."""


def example(language: str) -> str:
    """Returns the block of code behind the language's marker."""
    if not README.is_file():
        pytest.skip("there is no README.md yet")
    marker = rf"<!-- example: {language} -->\s*```\w+\n(.*?)^```"
    blocks = re.findall(marker, README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1, f"README.md needs one example marked <!-- example: {language} -->"
    return str(blocks[0])


def at_port(code: str, port: int) -> str:
    """Returns the example for a gateway at another port; nothing else is changed."""
    assert code.count("localhost:8000") == 1
    return code.replace("localhost:8000", f"localhost:{port}")


def node() -> tuple[str, int]:
    """Returns where Node is and its major version."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("no Node here: install Debian's package nodejs to run this test")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    return path, int(version.stdout.strip().lstrip("v").partition(".")[0])


async def run(*command: str) -> str:
    """Runs an example on the sample recording; returns what it prints."""
    process = await asyncio.create_subprocess_exec(
        *command,
        str(shipped_path("two_cities.wav")),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (0, "")
    return out.decode()


def spoken(printed: str) -> str:
    """Returns the words of lines that begin with their time."""
    lines = [re.fullmatch(r" *\d+\.\d\d +(.*)", line) for line in printed.splitlines()]
    assert all(lines), printed
    return " ".join(line[1] for line in lines if line)


@pytest.mark.asyncio(loop_scope="module")
async def test_python_example_prints_the_words(system: Stack, tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(at_port(example("python"), system.port), "utf-8")
    printed = await run(sys.executable, str(file))
    assert two_cities().error_rate(spoken(printed)) <= MOST_ERRORS


def test_javascript_example_is_sound(tmp_path: Path) -> None:
    file = tmp_path / "example.mjs"
    file.write_text(example("javascript"), "utf-8")
    checked = subprocess.run([node()[0], "--check", file], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.asyncio(loop_scope="module")
async def test_javascript_example_prints_the_words(system: Stack, tmp_path: Path) -> None:
    path, version = node()
    if version < HIDDEN_WEBSOCKET:
        pytest.skip(f"Node {version} has no WebSocket of its own: needs {WEBSOCKET}")
    options = [] if version >= WEBSOCKET else ["--experimental-websocket"]
    file = tmp_path / "example.mjs"
    file.write_text(at_port(example("javascript"), system.port), "utf-8")
    printed = await run(path, *options, str(file))
    assert two_cities().error_rate(spoken(printed)) <= MOST_ERRORS
